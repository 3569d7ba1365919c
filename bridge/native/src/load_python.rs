//! The Python face of the load generator.  Conversions only; `_native.pyi` says what it means.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::engine::lock;
use crate::load::{
    Delays, Event, Figures, Generator, Kind, PeerDescription, Refusal, StreamDescription,
};
use crate::srtp::{Profile, Receiver, Sender};

fn address(host: &str) -> PyResult<IpAddr> {
    host.parse().map_err(|_| PyValueError::new_err(format!("not an IP address: {host}")))
}

fn failed(error: std::io::Error) -> PyErr {
    PyOSError::new_err((error.raw_os_error().unwrap_or(0), error.to_string()))
}

fn refused(refusal: Refusal) -> PyErr {
    PyValueError::new_err(match refusal {
        Refusal::NotAllowed(host) => format!("{host} is not on loopback and was not named"),
        Refusal::TooMuch => "more than a generator may have".into(),
        Refusal::NoSuchPeer => "no such peer".into(),
    })
}

#[pyclass(name = "LoadGenerator", module = "xmppconf_bridge._native", frozen)]
pub struct PyLoadGenerator(Mutex<Generator>);

fn delays(delays: &Delays) -> [u32; 3] {
    [0.5, 0.99, 0.999].map(|share| delays.quantile(share))
}

fn figures<'py>(py: Python<'py>, figures: &Figures) -> PyResult<Bound<'py, PyDict>> {
    let tracks = PyDict::new(py);
    for (ssrc, track) in &figures.tracks {
        let values = (track.payload_type, track.received, track.expected(), track.duplicates);
        let rest = (track.bytes, track.freezes);
        tracks.set_item(ssrc, (values.0, values.1, values.2, values.3, rest.0, rest.1))?;
    }
    let all = PyDict::new(py);
    all.set_item("tracks", tracks)?;
    all.set_item("refused", figures.refused + figures.untracked)?;
    all.set_item("rtcp", figures.rtcp)?;
    all.set_item("repeats", figures.repeats)?;
    all.set_item("keyframe_requests", figures.keyframe_requests)?;
    all.set_item("nacked", figures.nacked)?;
    all.set_item("picture", figures.picture.map(|time| time as f64 / 1e9))?;
    Ok(all)
}

#[pymethods]
impl PyLoadGenerator {
    #[new]
    fn new(allowed: Vec<String>) -> PyResult<Self> {
        let allowed: PyResult<Vec<_>> = allowed.iter().map(|host| address(host)).collect();
        Ok(Self(Mutex::new(Generator::new(allowed?))))
    }

    #[pyo3(signature = (
        host, port, ufrag, pwd, remote_ufrag, remote_pwd, *, controlling = false,
        transport_cc = 0, rtx = 0, verify = 1
    ))]
    #[allow(clippy::too_many_arguments)] // one for each that a transport is made of
    fn add_peer(
        &self,
        host: &str,
        port: u16,
        ufrag: String,
        pwd: String,
        remote_ufrag: String,
        remote_pwd: String,
        controlling: bool,
        transport_cc: u8,
        rtx: u8,
        verify: u32,
    ) -> PyResult<usize> {
        let remote = SocketAddr::new(address(host)?, port);
        let description = PeerDescription {
            remote,
            ufrag,
            pwd,
            remote_ufrag,
            remote_pwd,
            controlling,
            transport_cc,
            rtx,
            verify,
        };
        lock(&self.0).add_peer(&description).map_err(failed)?.map_err(refused)
    }

    fn remove_peer(&self, peer: usize) {
        lock(&self.0).remove_peer(peer);
    }

    fn local_address(&self, peer: usize) -> PyResult<(String, u16)> {
        let local = lock(&self.0).local(peer).ok_or_else(|| refused(Refusal::NoSuchPeer))?;
        Ok((local.ip().to_string(), local.port()))
    }

    fn set_srtp(
        &self,
        peer: usize,
        profile: u16,
        send_key: &[u8],
        send_salt: &[u8],
        receive_key: &[u8],
        receive_salt: &[u8],
    ) -> PyResult<()> {
        let bad = || PyValueError::new_err("bad SRTP profile, key or salt");
        let profile = Profile::from_number(profile).ok_or_else(bad)?;
        let sender = Sender::new(profile, send_key, send_salt).ok_or_else(bad)?;
        let receiver = Receiver::new(profile, receive_key, receive_salt).ok_or_else(bad)?;
        lock(&self.0).set_srtp(peer, Box::new(sender), Box::new(receiver)).map_err(refused)
    }

    fn send_dtls(&self, peer: usize, datagrams: Vec<Vec<u8>>) -> PyResult<()> {
        lock(&self.0).send_dtls(peer, &datagrams).map_err(refused)
    }

    #[pyo3(signature = (
        peer, ssrc, payload_type, *, size, rate, picture = None, transport_cc = 0,
        audio_level = 0, level = 0, mid = None
    ))]
    #[allow(clippy::too_many_arguments)] // what a packet is made of
    fn add_stream(
        &self,
        peer: usize,
        ssrc: u32,
        payload_type: u8,
        size: usize,
        rate: u32,
        picture: Option<(u16, u16)>,
        transport_cc: u8,
        audio_level: u8,
        level: u8,
        mid: Option<(u8, String)>,
    ) -> PyResult<()> {
        let kind = picture.map_or(Kind::Opus, |(width, height)| Kind::Vp8 { width, height });
        if !(28..=1200).contains(&size) {
            return Err(PyValueError::new_err("a payload has 28 to 1200 octets"));
        }
        let description = StreamDescription {
            ssrc,
            payload_type,
            kind,
            size,
            rate,
            transport_cc,
            audio_level,
            level,
            mid,
        };
        lock(&self.0).add_stream(peer, &description).map_err(refused)
    }

    fn set_level(&self, ssrc: u32, level: u8) {
        lock(&self.0).set_level(ssrc, level);
    }

    fn await_picture(&self, ssrc: u32) {
        lock(&self.0).await_picture(ssrc);
    }

    fn set_sending(&self, sending: bool) {
        lock(&self.0).set_sending(sending);
    }

    fn reset(&self) {
        lock(&self.0).reset();
    }

    fn run<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let nanoseconds = (seconds.clamp(0.0, 3600.0) * 1e9) as u64;
        let events = py.detach(|| lock(&self.0).run(nanoseconds)).map_err(failed)?;
        events
            .into_iter()
            .map(|event| match event {
                Event::Valid { peer } => ("valid", peer).into_pyobject(py),
                Event::Failed { peer } => ("failed", peer).into_pyobject(py),
                Event::Dtls { peer, data } => {
                    ("dtls", peer, PyBytes::new(py, &data)).into_pyobject(py)
                }
            })
            .collect()
    }

    fn sent(&self) -> Vec<(usize, u32, u64)> {
        lock(&self.0).sent()
    }

    fn received(&self, peer: usize) -> u64 {
        lock(&self.0).received(peer)
    }

    fn figures<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let generator = lock(&self.0);
        if generator.figures().is_empty() {
            return Err(PyRuntimeError::new_err("there is no peer"));
        }
        generator.figures().into_iter().map(|one| figures(py, one)).collect()
    }

    fn delays(&self) -> [u32; 3] {
        delays(&lock(&self.0).delays())
    }
}
