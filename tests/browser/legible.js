// A shared screen of small print, and where it arrives how much of that can be read.
{
    const WIDTH = 1280;
    const HEIGHT = 720;
    const DOT = 2; // pixels: letters of five times seven dots are as high as usual print
    const PRINT = { x: 100, y: 100, width: 480, height: 320 };

    // The same letters everywhere, whatever fonts there are.
    const print = (brush) => {
        let seed = 1;
        const dots = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >> 16 & 1;
        brush.fillStyle = "#fff";
        brush.fillRect(0, 0, WIDTH, HEIGHT);
        brush.fillStyle = "#000";
        const { x, y, width, height } = PRINT;
        for (let row = 0; row < height; row += 10 * DOT)
            for (let column = 0; column < width; column += 6 * DOT)
                for (let dot = 0; dot < 35; dot++)
                    if (dots())
                        brush.fillRect(
                            x + column + DOT * (dot % 5), y + row + DOT * Math.floor(dot / 5), DOT, DOT,
                        );
    };
    const canvas = () => {
        const made = document.createElement("canvas");
        [made.width, made.height] = [WIDTH, HEIGHT];
        return [made, made.getContext("2d", { willReadFrequently: true })];
    };
    const light = (brush) => {
        const { x, y, width, height } = PRINT;
        const pixels = brush.getImageData(x, y, width, height).data;
        return Float32Array.from({ length: width * height }, (_, index) => pixels[4 * index + 1]);
    };

    // Share it, with something that moves `rate` times a second.
    window.testPrint = (rate) => {
        navigator.mediaDevices.getDisplayMedia = async () => {
            const [screen, brush] = canvas();
            print(brush);
            let step = 0;
            const stream = screen.captureStream(0);
            const [track] = stream.getVideoTracks();
            track.contentHint = "detail";
            setInterval(() => {
                step += 1;
                brush.fillStyle = `hsl(${(step * 37) % 360} 80% 50%)`;
                brush.fillRect(700 + ((step * 13) % 400), 500, 60, 60);
                track.requestFrame();
            }, 1000 / rate);
            return stream;
        };
    };

    // How alike (correlation) what a video shows of it is to the original; 0 for another size.
    const likeness = (() => {
        const [, original] = canvas();
        print(original);
        const wanted = light(original);
        const [, brush] = canvas();
        return (video) => {
            if (video.videoWidth !== WIDTH || video.readyState < 2) return 0;
            brush.drawImage(video, 0, 0);
            const got = light(brush);
            const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
            const [a, b] = [mean(wanted), mean(got)];
            let [both, one, other] = [0, 0, 0];
            wanted.forEach((value, index) => {
                both += (value - a) * (got[index] - b);
                one += (value - a) ** 2;
                other += (got[index] - b) ** 2;
            });
            return other ? both / Math.sqrt(one * other) : 0;
        };
    })();

    // From now on: {pressed, seen, legible}, when "join" was pressed, the screen's first picture
    // was there, and its print could be read (ms), and how alike it is.
    window.testRead = (enough) => {
        const found = { likeness: 0 };
        window.testReading = found;
        document.addEventListener(
            "click",
            (event) => {
                if (event.target.closest("[data-testid=join]")) found.pressed ??= performance.now();
            },
            true,
        );
        const look = () => {
            const video = document.querySelector("[data-testid=tile][data-screen] video");
            if (video?.videoWidth > 2) {
                found.seen ??= performance.now();
                found.likeness = likeness(video);
                if (found.likeness >= enough) found.legible ??= performance.now();
            }
            if (!found.legible) setTimeout(look, 50);
        };
        look();
    };
}
