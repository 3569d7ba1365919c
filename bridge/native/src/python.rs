//! The Python face of the engine.  Conversions only; no logic lives here.
//!
//! What each call means is written in `_native.pyi`.

use std::net::{IpAddr, SocketAddr};

use pyo3::exceptions::{PyBlockingIOError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::engine::{BindError, Command, Engine, Event, Rejected, Settings};
use crate::ice::Candidate;
use crate::media::{
    self, Encoding, HeaderExtension, Kind, Mid, PayloadType, SourceDescription, Time,
};
use crate::placement::PART;
use crate::tap_python::PyTap;

/// RFC 8839, 5.4: 4 to 256 characters, and 22 to 256.
const MAX_CREDENTIAL: usize = 256;

type PayloadTypeTuple = (u8, String, u32, Option<u8>, bool, bool, bool);
type SourceTuple = (u32, String, Vec<(u32, Option<u32>)>);

fn seconds(time: Time) -> f64 {
    time as f64 / 1e9
}

fn credential(name: &str, value: String) -> PyResult<Vec<u8>> {
    if value.is_empty() || value.len() > MAX_CREDENTIAL || value.contains(':') {
        return Err(PyValueError::new_err(format!("bad ICE {name}")));
    }
    Ok(value.into_bytes())
}

fn kind(name: &str) -> PyResult<Kind> {
    match name {
        "audio" => Ok(Kind::Audio),
        "video" => Ok(Kind::Video),
        _ => Err(PyValueError::new_err("a source is \"audio\" or \"video\"")),
    }
}

pub fn event(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    match event {
        Event::IceValid { transport, remote, rtt } => {
            ("ice-valid", transport, remote.ip().to_string(), remote.port(), seconds(rtt))
                .into_pyobject(py)
        }
        Event::IceSelected { transport, remote, relayed } => {
            ("ice-selected", transport, remote.ip().to_string(), remote.port(), relayed)
                .into_pyobject(py)
        }
        Event::IceFailed { transport } => ("ice-failed", transport).into_pyobject(py),
        Event::Dtls { transport, data } => {
            ("dtls", transport, PyBytes::new(py, &data)).into_pyobject(py)
        }
        Event::SrtpActive { transport } => ("srtp-active", transport).into_pyobject(py),
        Event::Lost { count } => ("lost-events", count).into_pyobject(py),
        Event::Media(event) => match event {
            media::Event::SourceActive { source, encoding, size } => {
                ("source-active", source, encoding, size).into_pyobject(py)
            }
            media::Event::SourceSilent { source, encoding } => {
                ("source-silent", source, encoding).into_pyobject(py)
            }
            media::Event::Layers { source, layers } => {
                let layers: Vec<_> = layers
                    .iter()
                    .map(|one| {
                        let layer = (one.encoding, one.spatial, one.temporal);
                        (layer.0, layer.1, layer.2, one.height, one.frame_rate, one.bitrate)
                    })
                    .collect();
                ("layers", source, layers).into_pyobject(py)
            }
            media::Event::Levels { conference, records } => {
                ("levels", conference, PyBytes::new(py, &records)).into_pyobject(py)
            }
            media::Event::Bandwidth { transport, bits_per_second, besides } => {
                ("bandwidth", transport, bits_per_second, besides).into_pyobject(py)
            }
        },
    }
}

fn parse_addresses(addresses: Vec<(String, u16)>) -> PyResult<Vec<SocketAddr>> {
    let parse = |(host, port): (String, u16)| {
        let ip: Result<IpAddr, _> = host.parse();
        ip.map(|ip| SocketAddr::new(ip, port))
            .map_err(|_| PyValueError::new_err(format!("not an IP address: {host}")))
    };
    addresses.into_iter().map(parse).collect()
}

fn host_and_port(address: &SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}

fn os_error(error: BindError) -> PyErr {
    PyOSError::new_err((error.error.raw_os_error().unwrap_or(0), error.to_string()))
}

#[pyclass(name = "Engine", module = "xmppconf_bridge._native", frozen)]
struct PyEngine {
    engine: std::sync::Mutex<Option<Engine>>,
    addresses: Vec<SocketAddr>,
    event_fd: i32,
}

impl PyEngine {
    fn with<T>(&self, action: impl FnOnce(&Engine) -> T) -> PyResult<T> {
        let guard = crate::engine::lock(&self.engine);
        guard.as_ref().map(action).ok_or_else(|| PyRuntimeError::new_err("the engine is closed"))
    }

    fn command(&self, command: Command) -> PyResult<()> {
        self.with(|engine| engine.command(command))?.map_err(refusal)
    }
}

fn refusal(rejected: Rejected) -> PyErr {
    match rejected {
        Rejected::Full => PyBlockingIOError::new_err("the engine's command queue is full"),
        Rejected::Stopped => PyRuntimeError::new_err("the engine's worker has stopped"),
    }
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (
        addresses, *, queue = 4096, event_queue = 16384,
        receive_buffer = 10_485_760, send_buffer = 10_485_760, workers = 1, part = PART
    ))]
    #[allow(clippy::too_many_arguments)] // the settings, by name
    fn new(
        addresses: Vec<(String, u16)>,
        queue: usize,
        event_queue: usize,
        receive_buffer: usize,
        send_buffer: usize,
        workers: usize,
        part: usize,
    ) -> PyResult<Self> {
        let parsed = parse_addresses(addresses)?;
        let settings = Settings { queue, event_queue, receive_buffer, send_buffer, workers, part };
        let engine = Engine::new(&parsed, &settings).map_err(os_error)?;
        Ok(Self {
            addresses: engine.local_addresses().to_vec(),
            event_fd: engine.event_fd(),
            engine: std::sync::Mutex::new(Some(engine)),
        })
    }

    fn local_addresses(&self) -> Vec<(String, u16)> {
        self.addresses.iter().map(host_and_port).collect()
    }

    fn event_fd(&self) -> PyResult<i32> {
        self.with(|_| self.event_fd)
    }

    fn take_events<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let (events, stopped) = self.with(|engine| (engine.take_events(), engine.stopped()))?;
        if stopped {
            return Err(PyRuntimeError::new_err("the engine's worker has stopped"));
        }
        events.into_iter().map(|one| event(py, one)).collect()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(crate::engine::lock(&self.engine).take()));
    }

    fn bind(&self, addresses: Vec<(String, u16)>) -> PyResult<(usize, Vec<(String, u16)>)> {
        let parsed = parse_addresses(addresses)?;
        let (numbers, bound) = self.with(|engine| engine.bind(&parsed))?.map_err(os_error)?;
        Ok((numbers.start, bound.iter().map(host_and_port).collect()))
    }

    #[pyo3(signature = (transport, conference, ufrag, pwd, *, controlling, sockets = None))]
    fn add_transport(
        &self,
        transport: u32,
        conference: u32,
        ufrag: String,
        pwd: String,
        controlling: bool,
        sockets: Option<(usize, usize)>,
    ) -> PyResult<()> {
        let (ufrag, pwd) = (credential("ufrag", ufrag)?, credential("pwd", pwd)?);
        let sockets = sockets.map(|(first, count)| first..first.saturating_add(count));
        let command =
            Command::AddTransport { transport, conference, ufrag, pwd, controlling, sockets };
        self.command(command)
    }

    fn restart_ice(
        &self,
        transport: u32,
        ufrag: String,
        pwd: String,
        controlling: bool,
    ) -> PyResult<()> {
        let (ufrag, pwd) = (credential("ufrag", ufrag)?, credential("pwd", pwd)?);
        self.command(Command::RestartIce { transport, ufrag, pwd, controlling })
    }

    #[pyo3(signature = (transport, ufrag, pwd, candidates, *, restart = false))]
    fn set_remote_ice(
        &self,
        transport: u32,
        ufrag: String,
        pwd: String,
        candidates: Vec<(String, u16, u32)>,
        restart: bool,
    ) -> PyResult<()> {
        let (ufrag, pwd) = (credential("ufrag", ufrag)?, credential("pwd", pwd)?);
        // Host names (mDNS) are not resolved; such a peer is found by its own checks.
        let candidates = candidates.into_iter().filter_map(|(host, port, priority)| {
            Some(Candidate { address: SocketAddr::new(host.parse().ok()?, port), priority })
        });
        let candidates = candidates.take(crate::ice::MAX_PAIRS).collect();
        self.command(Command::SetRemoteIce { transport, ufrag, pwd, candidates, restart })
    }

    fn send_dtls(&self, transport: u32, datagrams: Vec<Vec<u8>>) -> PyResult<()> {
        self.command(Command::SendDtls { transport, datagrams })
    }

    fn set_srtp(
        &self,
        transport: u32,
        profile: u16,
        send_key: &[u8],
        send_salt: &[u8],
        receive_key: &[u8],
        receive_salt: &[u8],
    ) -> PyResult<()> {
        let (send, receive) = ((send_key, send_salt), (receive_key, receive_salt));
        let (sender, receiver) = crate::srtp_python::directions(profile, send, receive)?;
        self.command(Command::SetSrtp {
            transport,
            sender: Box::new(sender),
            receiver: Box::new(receiver),
        })
    }

    fn remove_transport(&self, transport: u32) -> PyResult<()> {
        self.command(Command::RemoveTransport { transport })
    }

    fn open_tap(&self, transport: u32) -> PyResult<PyTap> {
        self.with(|engine| engine.open_tap(transport))?.map(PyTap::new).map_err(refusal)
    }

    #[pyo3(signature = (conference, audio_ssrc, video_ssrc, *, worker = None))]
    fn add_conference(
        &self,
        conference: u32,
        audio_ssrc: u32,
        video_ssrc: u32,
        worker: Option<usize>,
    ) -> PyResult<()> {
        let command = media::Command::AddConference { conference, audio_ssrc, video_ssrc };
        self.with(|engine| engine.command_on(worker, Command::Media(command)))?.map_err(refusal)
    }

    fn remove_conference(&self, conference: u32) -> PyResult<()> {
        self.command(Command::RemoveConference { conference })
    }

    fn set_payload_types(
        &self,
        transport: u32,
        payload_types: Vec<PayloadTypeTuple>,
    ) -> PyResult<()> {
        let payload_types = payload_types.into_iter().map(
            |(id, codec, clock_rate, retransmits, nack, pli, transport_cc)| PayloadType {
                id,
                codec,
                clock_rate,
                retransmits,
                nack,
                pli,
                transport_cc,
            },
        );
        let payload_types = payload_types.collect();
        self.command(Command::Media(media::Command::SetPayloadTypes { transport, payload_types }))
    }

    fn set_header_extensions(&self, transport: u32, extensions: Vec<(u8, String)>) -> PyResult<()> {
        let extensions =
            extensions.into_iter().map(|(id, uri)| HeaderExtension { id, uri }).collect();
        self.command(Command::Media(media::Command::SetHeaderExtensions { transport, extensions }))
    }

    fn set_sources(&self, transport: u32, sources: Vec<SourceTuple>) -> PyResult<()> {
        let mut described = Vec::new();
        for (source, name, encodings) in sources {
            let encodings =
                encodings.into_iter().map(|(ssrc, rtx_ssrc)| Encoding { ssrc, rtx_ssrc }).collect();
            described.push(SourceDescription { source, kind: kind(&name)?, encodings });
        }
        self.command(Command::Media(media::Command::SetSources { transport, sources: described }))
    }

    fn set_muted(&self, source: u32, muted: bool) -> PyResult<()> {
        self.command(Command::Media(media::Command::SetMuted { source, muted }))
    }

    fn request_keyframe(&self, source: u32) -> PyResult<()> {
        self.command(Command::Media(media::Command::RequestKeyframe { source }))
    }

    #[allow(clippy::too_many_arguments)] // a command's fields, by name
    fn set_route(
        &self,
        receiver: u32,
        source: u32,
        ssrc: u32,
        rtx_ssrc: Option<u32>,
        max_encoding: i32,
        max_spatial: u8,
        max_temporal: u8,
    ) -> PyResult<()> {
        self.command(Command::Media(media::Command::SetRoute {
            receiver,
            source,
            ssrc,
            rtx_ssrc,
            max_encoding,
            max_spatial,
            max_temporal,
        }))
    }

    fn set_relay(&self, receiver: u32, source: u32, encodings: u8) -> PyResult<()> {
        let command = media::Command::SetRelay { receiver, source, encodings };
        self.command(Command::Media(command))
    }

    fn remove_route(&self, receiver: u32, source: u32) -> PyResult<()> {
        self.command(Command::Media(media::Command::RemoveRoute { receiver, source }))
    }

    fn set_loudest(&self, conference: u32, count: usize, always: Vec<u32>) -> PyResult<()> {
        self.command(Command::Media(media::Command::SetLoudest { conference, count, always }))
    }

    fn set_demand(&self, receiver: u32, bits_per_second: u64, trial: u64) -> PyResult<()> {
        let command = media::Command::SetDemand { receiver, bits_per_second, trial };
        self.command(Command::Media(command))
    }

    fn set_mid(&self, receiver: u32, ssrc: u32, mid: &str) -> PyResult<()> {
        let mid = Mid::new(mid).ok_or_else(|| PyValueError::new_err("bad mid"))?;
        self.command(Command::Media(media::Command::SetMid { receiver, ssrc, mid }))
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let figures = PyDict::new(py);
        for (name, value) in self.with(Engine::stats)? {
            figures.set_item(name, value)?;
        }
        Ok(figures)
    }

    fn workers(&self) -> PyResult<Vec<(u64, u64)>> {
        self.with(Engine::workers)
    }

    fn transport_stats<'py>(
        &self,
        py: Python<'py>,
        transport: u32,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(found) = self.with(|engine| engine.transport_stats(transport))? else {
            return Ok(None);
        };
        let figures = PyDict::new(py);
        figures.set_item("packets_received", found.packets_received)?;
        figures.set_item("bytes_received", found.bytes_received)?;
        figures.set_item("packets_sent", found.packets_sent)?;
        figures.set_item("bytes_sent", found.bytes_sent)?;
        figures.set_item("rtt", found.rtt.map(seconds))?;
        figures.set_item("fraction_lost_received", found.fraction_lost_received)?;
        figures.set_item("fraction_lost_sent", found.fraction_lost_sent)?;
        figures.set_item("last_activity", found.last_activity.map(seconds))?;
        Ok(Some(figures))
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("PROFILE_AES128_CM_SHA1_80", 0x0001)?;
    module.add("PROFILE_AEAD_AES_128_GCM", 0x0007)?;
    module.add("PROFILE_AEAD_AES_256_GCM", 0x0008)?;
    module.add_class::<PyEngine>()?;
    module.add_class::<crate::srtp_python::PySrtpContext>()?;
    module.add_class::<crate::tap_python::PyTap>()?;
    module.add_class::<crate::load_python::PyLoadGenerator>()?;
    module.add_class::<crate::media_python::PyMediaMachine>()
}
