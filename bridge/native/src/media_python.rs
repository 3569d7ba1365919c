//! The media machine by itself, without sockets, encryption or clock, for tests in Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::media::{
    Command, Encoding, Event, HeaderExtension, Kind, Media, Output, PayloadType, SourceDescription,
    Time,
};

type Packets<'py> = Vec<(u32, Bound<'py, PyBytes>)>;

#[derive(Default)]
struct Collected {
    rtp: Vec<(u32, Vec<u8>)>,
    rtcp: Vec<(u32, Vec<u8>)>,
    events: Vec<Event>,
}

impl Output for Collected {
    fn send_rtp(&mut self, receiver: u32, header: &[u8], payload: &[u8]) {
        self.rtp.push((receiver, [header, payload].concat()));
    }

    fn send_rtcp(&mut self, receiver: u32, compound: &[u8]) {
        self.rtcp.push((receiver, compound.to_vec()));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// Id, name, clock rate, what it retransmits, nack, pli, transport-cc.
type PayloadTypeTuple = (u8, String, u32, Option<u8>, bool, bool, bool);
/// Id, kind, and SSRC with RTX SSRC of each encoding.
type SourceTuple = (u32, String, Vec<(u32, Option<u32>)>);

#[pyclass(name = "MediaMachine", module = "xmppconf_bridge._native")]
pub struct PyMediaMachine {
    media: Media,
    out: Collected,
}

fn packets(py: Python<'_>, list: Vec<(u32, Vec<u8>)>) -> Packets<'_> {
    list.into_iter().map(|(receiver, packet)| (receiver, PyBytes::new(py, &packet))).collect()
}

#[pymethods]
impl PyMediaMachine {
    #[new]
    fn new(seed: u64) -> Self {
        PyMediaMachine { media: Media::new(seed), out: Collected::default() }
    }

    fn add_conference(&mut self, conference: u32, audio_ssrc: u32, video_ssrc: u32) {
        let command = Command::AddConference { conference, audio_ssrc, video_ssrc };
        self.media.apply(0, command, &mut self.out);
    }

    fn add_transport(&mut self, transport: u32, conference: u32) {
        self.media.apply(0, Command::AddTransport { transport, conference }, &mut self.out);
    }

    fn set_payload_types(&mut self, transport: u32, payload_types: Vec<PayloadTypeTuple>) {
        let payload_types = payload_types
            .into_iter()
            .map(|(id, codec, clock_rate, retransmits, nack, pli, transport_cc)| PayloadType {
                id,
                codec,
                clock_rate,
                retransmits,
                nack,
                pli,
                transport_cc,
            })
            .collect();
        let command = Command::SetPayloadTypes { transport, payload_types };
        self.media.apply(0, command, &mut self.out);
    }

    fn set_header_extensions(&mut self, transport: u32, extensions: Vec<(u8, String)>) {
        let extensions =
            extensions.into_iter().map(|(id, uri)| HeaderExtension { id, uri }).collect();
        let command = Command::SetHeaderExtensions { transport, extensions };
        self.media.apply(0, command, &mut self.out);
    }

    fn set_sources(&mut self, transport: u32, sources: Vec<SourceTuple>) -> PyResult<()> {
        let mut descriptions = Vec::with_capacity(sources.len());
        for (source, kind, encodings) in sources {
            let kind = match kind.as_str() {
                "audio" => Kind::Audio,
                "video" => Kind::Video,
                _ => return Err(PyValueError::new_err("a source is \"audio\" or \"video\"")),
            };
            let encodings =
                encodings.into_iter().map(|(ssrc, rtx_ssrc)| Encoding { ssrc, rtx_ssrc });
            descriptions.push(SourceDescription { source, kind, encodings: encodings.collect() });
        }
        let command = Command::SetSources { transport, sources: descriptions };
        self.media.apply(0, command, &mut self.out);
        Ok(())
    }

    #[pyo3(signature = (now, receiver, source, ssrc, rtx_ssrc, max_encoding, max_spatial, max_temporal))]
    #[allow(clippy::too_many_arguments)] // as `Engine.set_route`
    fn set_route(
        &mut self,
        now: Time,
        receiver: u32,
        source: u32,
        ssrc: u32,
        rtx_ssrc: Option<u32>,
        max_encoding: i32,
        max_spatial: u8,
        max_temporal: u8,
    ) {
        let command = Command::SetRoute {
            receiver,
            source,
            ssrc,
            rtx_ssrc,
            max_encoding,
            max_spatial,
            max_temporal,
        };
        self.media.apply(now, command, &mut self.out);
    }

    fn set_demand(&mut self, now: Time, receiver: u32, bits_per_second: u64, trial: u64) {
        let command = Command::SetDemand { receiver, bits_per_second, trial };
        self.media.apply(now, command, &mut self.out);
    }

    fn remove_route(&mut self, now: Time, receiver: u32, source: u32) {
        self.media.apply(now, Command::RemoveRoute { receiver, source }, &mut self.out);
    }

    fn receive_rtp(&mut self, now: Time, transport: u32, packet: &[u8]) {
        let mut packet = packet.to_vec();
        self.media.receive_rtp(now, transport, &mut packet, &mut self.out);
    }

    fn receive_rtcp(&mut self, now: Time, transport: u32, compound: &[u8]) {
        self.media.receive_rtcp(now, transport, compound, &mut self.out);
    }

    fn timeout(&mut self, now: Time) {
        self.media.timeout(now, &mut self.out);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.media.next_timeout()
    }

    fn take_events<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let events = std::mem::take(&mut self.out.events).into_iter();
        events.map(|event| crate::python::event(py, crate::engine::Event::Media(event))).collect()
    }

    fn take_rtp<'py>(&mut self, py: Python<'py>) -> Packets<'py> {
        packets(py, std::mem::take(&mut self.out.rtp))
    }

    fn take_rtcp<'py>(&mut self, py: Python<'py>) -> Packets<'py> {
        packets(py, std::mem::take(&mut self.out.rtcp))
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let figures = PyDict::new(py);
        for (name, value) in self.media.stats().pairs() {
            figures.set_item(name, value)?;
        }
        Ok(figures)
    }
}
