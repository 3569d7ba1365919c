// Puts a camera with numbered pictures and a microphone that beeps with every flash before the
// page, and reads both where they arrive.  NUMBERED has width, height and rate.
{
    const BITS = 16;
    const EVERY = 2000; // ms between two flashes
    const FLASH = 100; // ms

    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [NUMBERED.width, NUMBERED.height];
    const brush = canvas.getContext("2d");
    let number = 0;
    let beep;
    let frame = () => {};

    const draw = () => {
        const { width, height } = canvas;
        number = (number + 1) % 2 ** BITS;
        const flashes = Date.now() % EVERY < FLASH;
        if (beep) beep.gain.value = flashes ? 0.5 : 0;
        brush.fillStyle = "#555";
        brush.fillRect(0, 0, width, height);
        // Thick bars survive every encoding; the first tells of a flash.
        for (let bit = 0; bit <= BITS; bit++) {
            const on = bit === 0 ? flashes : (number >> (bit - 1)) & 1;
            brush.fillStyle = on ? "#fff" : "#000";
            brush.fillRect((bit * width) / (BITS + 1), 0, width / (BITS + 1) + 1, height / 2);
        }
        brush.fillStyle = `hsl(${number % 360} 70% 50%)`;
        brush.fillRect((number * 7) % width, (height * 2) / 3, width / 8, height / 8);
        frame();
    };

    // Two cameras, both of which show this.
    const CAMERAS = ["camera-1", "camera-2"];
    const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
    navigator.mediaDevices.enumerateDevices = async () => [
        ...(await list()).filter((device) => device.kind !== "videoinput"),
        ...CAMERAS.map((deviceId) => ({ deviceId, kind: "videoinput", label: deviceId, groupId: "" })),
    ];
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
        const wanted = constraints.video?.deviceId?.exact ?? constraints.video?.deviceId?.ideal;
        const stream = await real({ ...constraints, video: !!constraints.video });
        for (const track of stream.getTracks()) {
            stream.removeTrack(track);
            track.stop();
            if (track.kind === "video") {
                const timer = setInterval(draw, 1000 / NUMBERED.rate);
                // Each picture when it is complete, not when the page is painted.
                const [drawn] = canvas.captureStream(0).getVideoTracks();
                frame = () => drawn.requestFrame();
                const stop = drawn.stop.bind(drawn);
                drawn.stop = () => (clearInterval(timer), stop());
                const settings = drawn.getSettings.bind(drawn);
                drawn.getSettings = () => ({ ...settings(), deviceId: wanted ?? CAMERAS[0] });
                stream.addTrack(drawn);
            } else {
                const context = new AudioContext({ latencyHint: "interactive" });
                const oscillator = new OscillatorNode(context, { frequency: 600 });
                beep = new GainNode(context, { gain: 0 });
                const out = new MediaStreamAudioDestinationNode(context);
                oscillator.connect(beep).connect(out);
                oscillator.start();
                stream.addTrack(out.stream.getAudioTracks()[0]);
            }
        }
        return stream;
    };

    // From now on, each picture and each beginning of a beep of this person, as they are shown
    // and played: {pictures: [[ms, number, flashes, width]], beeps: [ms]}.
    window.testFollow = (id) => {
        const seen = { pictures: [], beeps: [] };
        const small = document.createElement("canvas");
        [small.width, small.height] = [(BITS + 1) * 4, 4];
        const reader = small.getContext("2d", { willReadFrequently: true });
        let followed;
        const read = (picture, width, height, at) => {
            reader.drawImage(picture, 0, 0, width, height / 4, 0, 0, small.width, 4);
            const pixels = reader.getImageData(0, 2, small.width, 1).data;
            const bits = Array.from({ length: BITS + 1 }, (_, bit) => pixels[(bit * 4 + 2) * 4] > 128);
            const found = bits.slice(1).reduce((sum, on, bit) => sum + (on ? 2 ** bit : 0), 0);
            seen.pictures.push([at, found, bits[0], width]);
        };
        // Chromium tells of every picture; elsewhere of those that are painted.
        const follow = async (video) => {
            if (window.MediaStreamTrackProcessor) {
                const track = video.srcObject.getVideoTracks()[0].clone();
                const frames = new MediaStreamTrackProcessor({ track, maxBufferSize: 30 }).readable.getReader();
                while (followed === video) {
                    const { value, done } = await frames.read();
                    if (done) return;
                    read(value, value.displayWidth, value.displayHeight, Date.now());
                    value.close();
                }
                return track.stop();
            }
            const next = (now, about) => {
                if (followed !== video) return;
                read(video, video.videoWidth, video.videoHeight, performance.timeOrigin + about.expectedDisplayTime);
                video.requestVideoFrameCallback(next);
            };
            video.requestVideoFrameCallback(next);
        };
        const context = new AudioContext();
        const samples = new Float32Array(256);
        const analysers = new Map();
        let sounded = 0;
        setInterval(() => {
            const video = [...document.querySelectorAll(`[data-testid=tile][data-id="${id}"] video`)].at(-1);
            if (video && video !== followed) {
                followed = video;
                void follow(video);
            }
            for (const element of document.querySelectorAll(`audio[data-id="${id}"]`)) {
                const track = element.srcObject?.getAudioTracks()[0];
                if (!track || element.paused || element.muted) continue;
                if (!analysers.has(track)) {
                    const analyser = new AnalyserNode(context, { fftSize: samples.length });
                    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
                    analysers.set(track, analyser);
                }
                analysers.get(track).getFloatTimeDomainData(samples);
                if (!samples.some((sample) => Math.abs(sample) > 0.05)) continue;
                if (Date.now() - sounded > EVERY / 2) seen.beeps.push(Date.now());
                sounded = Date.now();
            }
        }, 5);
        window.testSeenSoFar = () => seen;
    };
}
