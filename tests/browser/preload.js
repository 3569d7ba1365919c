// Runs before a page's own scripts, with PERSON before it; see people.py.

// Nobody remembers the test before, such as having been muted at its end.
if (location.protocol === "http:") localStorage.clear();

// What a page must never do: break its Content-Security-Policy, ask by a dialog.
window.testViolations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.testViolations.push(`${event.effectiveDirective} ${event.blockedURI}`),
);
for (const dialog of ["alert", "confirm", "prompt"]) {
    window[dialog] = (text) => void window.testViolations.push(`${dialog} ${text}`);
}

window.testPeers = [];
window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct(target, args, newTarget) {
        const peer = Reflect.construct(target, args, newTarget);
        window.testPeers.push(peer);
        return peer;
    },
});

// The microphone: the browser's fake one where it has the person's tone, else an oscillator.
// A room is never quite silent: who is found to speak is louder than their own quietest.
const [LOUD, QUIET] = [0.4, 0.002];
let speaking = false;
let gain;
const microphones = [];
window.testSpeak = (on) => {
    speaking = on;
    if (gain) gain.gain.value = on ? LOUD : QUIET;
    if (PERSON.oscillator) return;
    for (const track of microphones) track.enabled = on;
};

const voice = (real) => {
    if (!PERSON.oscillator) {
        microphones.push(real);
        real.enabled = speaking;
        return real;
    }
    real.stop();
    if (!gain) {
        const context = new AudioContext();
        const oscillator = new OscillatorNode(context, { frequency: PERSON.tone });
        gain = new GainNode(context, { gain: speaking ? LOUD : QUIET });
        oscillator.connect(gain);
        oscillator.start();
    }
    const out = new MediaStreamAudioDestinationNode(gain.context);
    gain.connect(out);
    return insteadOf(real, out.stream.getAudioTracks()[0]);
};

const insteadOf = (real, track) => {
    const { deviceId } = real.getSettings();
    const settings = track.getSettings.bind(track);
    track.getSettings = () => ({ ...settings(), deviceId });
    return track;
};

const camera = (real) => {
    real.stop();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [PERSON.width, PERSON.height];
    const brush = canvas.getContext("2d");
    let frame = 0;
    const draw = () => {
        const { width, height } = canvas;
        brush.fillStyle = PERSON.colour;
        brush.fillRect(0, 0, width, height);
        PERSON.bars.forEach((white, index) => {
            brush.fillStyle = white ? "#fff" : "#000";
            brush.fillRect((width * (1 + 2 * index)) / 7, height / 3, width / 7, height / 3);
        });
        brush.fillStyle = "#fff";
        brush.fillRect((frame++ * 8) % (width - 16), height - 24, 16, 16);
    };
    draw();
    const timer = setInterval(draw, 1000 / PERSON.rate);
    const track = canvas.captureStream(PERSON.rate).getVideoTracks()[0];
    const stop = track.stop.bind(track);
    track.stop = () => {
        clearInterval(timer);
        stop();
    };
    return insteadOf(real, track);
};

// Tracks of cameras and microphones, as the page has got them.
window.testCaptured = [];
if (navigator.mediaDevices) {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
        const stream = await real(constraints);
        for (const track of stream.getTracks()) {
            stream.removeTrack(track);
            if (track.kind === "audio") {
                stream.addTrack(voice(track));
            } else if (PERSON.camera) {
                stream.addTrack(camera(track));
            } else {
                stream.addTrack(track);
            }
        }
        window.testCaptured.push(...stream.getTracks());
        return stream;
    };
    // What was shared, so that a test can end it as the browser's own button does.
    window.testDisplays = [];
    const display = navigator.mediaDevices.getDisplayMedia?.bind(navigator.mediaDevices);
    if (display) {
        navigator.mediaDevices.getDisplayMedia = async (options) => {
            const stream = await display(options);
            window.testDisplays.push(stream);
            return stream;
        };
    }
    // Fake devices have the names of files; on pictures they are called like real ones.
    const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
    const names = { audioinput: "Microphone", audiooutput: "Speakers", videoinput: "Camera" };
    navigator.mediaDevices.enumerateDevices = async () => {
        const seen = {};
        return (await list()).map((device) => {
            if (!device.label) return device;
            const number = (seen[device.kind] = (seen[device.kind] ?? 0) + 1);
            const label = names[device.kind] + (number > 1 ? ` ${number}` : "");
            const { deviceId, groupId, kind } = device;
            return { deviceId, groupId, kind, label };
        });
    };
}

// The number and mean colour of what each video element shows.
window.testSeen = () =>
    [...document.querySelectorAll("video")]
        .filter((video) => video.videoWidth > 2 && video.readyState >= 2)
        .map((video) => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [70, 30];
            const brush = canvas.getContext("2d", { willReadFrequently: true });
            brush.drawImage(video, 0, 0, 70, 30);
            const at = (x, y) => [...brush.getImageData(x, y, 1, 1).data].slice(0, 3);
            const bar = (index) => at(15 + 20 * index, 15).reduce((a, b) => a + b) > 384;
            const number = 4 * bar(0) + 2 * bar(1) + bar(2);
            const id = video.closest("[data-id]")?.dataset.id ?? "";
            return { number, colour: at(35, 4), id };
        });

// The colour in the corner of one video.
window.testColour = (selector) => {
    const video = document.querySelector(selector);
    if (!video || video.videoWidth <= 2 || video.readyState < 2) return null;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [70, 30];
    const brush = canvas.getContext("2d");
    brush.drawImage(video, 0, 0, 70, 30);
    return [...brush.getImageData(35, 4, 1, 1).data].slice(0, 3);
};

// Which of these tones stand out in each audio track that comes in.  It listens with a
// recorder and not with an AudioContext, which does not run in every browser without a
// sound card.
window.testHeard = (tones) => {
    const tracks = window.testPeers
        .filter((peer) => peer.connectionState !== "closed")
        .flatMap((peer) => peer.getTransceivers())
        .filter(({ currentDirection }) => /recv/.test(currentDirection ?? ""))
        .map(({ receiver }) => receiver.track)
        .filter((track) => track.kind === "audio" && track.readyState === "live");
    return Promise.all(tracks.map((track) => listen(track, tones)));
};

const listen = async (track, tones) => {
    const recorder = new MediaRecorder(new MediaStream([track]));
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const ended = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    setTimeout(() => recorder.stop(), 500);
    await ended;
    const file = await new Blob(pieces).arrayBuffer();
    let sound;
    try {
        sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(file);
    } catch {
        return []; // Nothing came in this half second.
    }
    const samples = sound.getChannelData(0).slice(-9600);
    return tones.filter((tone) => amplitude(samples, tone, sound.sampleRate) > 0.02);
};

const amplitude = (samples, tone, rate) => {
    let [real, imaginary] = [0, 0];
    samples.forEach((sample, index) => {
        const angle = (2 * Math.PI * tone * index) / rate;
        real += sample * Math.cos(angle);
        imaginary += sample * Math.sin(angle);
    });
    return (2 * Math.hypot(real, imaginary)) / samples.length;
};

// Firefox does not answer for a connection that is closed meanwhile.
const statsOf = (peer) =>
    Promise.race([peer.getStats(), new Promise((resolve) => setTimeout(resolve, 1000, new Map()))]);

window.testDecoded = async () => {
    const counts = {};
    for (const peer of window.testPeers) {
        if (peer.connectionState === "closed") continue;
        for (const report of (await statsOf(peer)).values()) {
            if (report.type === "inbound-rtp" && report.kind === "video") {
                counts[report.ssrc] = report.framesDecoded ?? 0;
            }
        }
    }
    return counts;
};

// How many streams of video have got so many more frames since the first look after `null`.
let firstCounts = {};
window.testGrown = async (frames) => {
    if (frames === null) firstCounts = {};
    const counts = Object.entries(await window.testDecoded());
    for (const [ssrc, count] of counts) firstCounts[ssrc] ??= count;
    return counts.filter(([ssrc, count]) => count >= firstCounts[ssrc] + frames).length;
};

// The codecs of the video that goes out and comes in with frames, such as ["VP8"].
window.testCodecs = async () => {
    const found = { out: new Set(), in: new Set() };
    for (const peer of window.testPeers) {
        if (peer.connectionState === "closed") continue;
        const reports = await statsOf(peer);
        for (const report of reports.values()) {
            const codec = reports.get(report.codecId)?.mimeType.split("/")[1];
            if (report.kind !== "video" || !codec) continue;
            if (report.type === "outbound-rtp" && report.framesEncoded > 0) found.out.add(codec);
            if (report.type === "inbound-rtp" && report.framesDecoded > 0) found.in.add(codec);
        }
    }
    return { out: [...found.out].sort(), in: [...found.in].sort() };
};

// From now on, how long it was silent at most, in ms: no new packet of this person came out of
// any element that plays them.  A track that is decoded but not played does not count.
window.testWatchSound = (id) => {
    const stamps = new Map();
    let heard = performance.now();
    const watch = { longest: 0, at: 0 };
    const look = () => {
        const now = performance.now();
        const receivers = new Map(
            window.testPeers
                .filter((peer) => peer.connectionState !== "closed")
                .flatMap((peer) => peer.getReceivers())
                .map((receiver) => [receiver.track, receiver]),
        );
        for (const element of document.querySelectorAll(`audio[data-id="${id}"]`)) {
            if (element.paused || element.muted || element.readyState < 2) continue;
            const track = element.srcObject?.getAudioTracks()[0];
            const stamp = receivers.get(track)?.getSynchronizationSources()[0]?.rtpTimestamp;
            if (stamp !== undefined && stamp !== stamps.get(track)) heard = now;
            stamps.set(track, stamp);
        }
        if (now - heard > watch.longest) Object.assign(watch, { longest: now - heard, at: now });
    };
    const timer = setInterval(look, 10);
    window.testSilence = () => {
        clearInterval(timer);
        return Math.round(watch.longest);
    };
};

// From now on, when sound of this person was last audible here (`testAudible`, ms of the clock).
window.testListen = (id) => {
    const context = new AudioContext();
    const listening = new Map();
    let heard = 0;
    const samples = new Float32Array(512);
    setInterval(() => {
        for (const element of document.querySelectorAll(`audio[data-id="${id}"]`)) {
            const track = element.srcObject?.getAudioTracks()[0];
            if (!track || element.paused || element.muted) continue;
            if (!listening.has(track)) {
                const analyser = new AnalyserNode(context, { fftSize: samples.length });
                context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
                listening.set(track, analyser);
            }
            listening.get(track).getFloatTimeDomainData(samples);
            if (samples.some((sample) => Math.abs(sample) > 0.01)) heard = Date.now();
        }
    }, 10);
    window.testAudible = () => heard;
};
