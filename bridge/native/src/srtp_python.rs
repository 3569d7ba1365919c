//! SRTP by itself, for tests in Python, and its keys as Python has them.  Conversions only.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::srtp::{rtp_header_length, Profile, Receiver, Refused, Sender, MAX_OVERHEAD};

/// Both directions of a transport, of master key and master salt of each.
pub fn directions(
    profile: u16,
    send: (&[u8], &[u8]),
    receive: (&[u8], &[u8]),
) -> PyResult<(Sender, Receiver)> {
    let bad_key = || PyValueError::new_err("wrong length of an SRTP key or salt");
    let profile = Profile::from_number(profile)
        .ok_or_else(|| PyValueError::new_err("unknown SRTP profile"))?;
    let sender = Sender::new(profile, send.0, send.1).ok_or_else(bad_key)?;
    let receiver = Receiver::new(profile, receive.0, receive.1).ok_or_else(bad_key)?;
    Ok((sender, receiver))
}

fn refused(why: Refused) -> PyErr {
    PyValueError::new_err(match why {
        Refused::Malformed => "malformed",
        Refused::Replayed => "replayed",
        Refused::TooOld => "too old",
        Refused::Unauthentic => "unauthentic",
        Refused::Exhausted => "exhausted",
    })
}

#[pyclass(name = "SrtpContext", module = "xmppconf_bridge._native")]
pub struct PySrtpContext {
    sender: Sender,
    receiver: Receiver,
}

#[pymethods]
impl PySrtpContext {
    #[new]
    fn new(profile: u16, key: &[u8], salt: &[u8]) -> PyResult<Self> {
        let (sender, receiver) = directions(profile, (key, salt), (key, salt))?;
        Ok(Self { sender, receiver })
    }

    fn protect_rtp<'py>(
        &mut self,
        py: Python<'py>,
        packet: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let header = rtp_header_length(packet).ok_or_else(|| refused(Refused::Malformed))?;
        let mut slot = packet.to_vec();
        slot.resize(packet.len() + MAX_OVERHEAD, 0);
        let length = self.sender.protect_rtp(&mut slot, header, packet.len()).map_err(refused)?;
        slot.truncate(length);
        Ok(PyBytes::new(py, &slot))
    }

    fn protect_rtcp<'py>(
        &mut self,
        py: Python<'py>,
        packet: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut slot = packet.to_vec();
        slot.resize(packet.len() + MAX_OVERHEAD, 0);
        let length = self.sender.protect_rtcp(&mut slot, packet.len()).map_err(refused)?;
        slot.truncate(length);
        Ok(PyBytes::new(py, &slot))
    }

    fn unprotect_rtp<'py>(
        &mut self,
        py: Python<'py>,
        packet: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut slot = packet.to_vec();
        let length = self.receiver.unprotect_rtp(&mut slot).map_err(refused)?;
        slot.truncate(length);
        Ok(PyBytes::new(py, &slot))
    }

    fn unprotect_rtcp<'py>(
        &mut self,
        py: Python<'py>,
        packet: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut slot = packet.to_vec();
        let length = self.receiver.unprotect_rtcp(&mut slot).map_err(refused)?;
        slot.truncate(length);
        Ok(PyBytes::new(py, &slot))
    }
}
