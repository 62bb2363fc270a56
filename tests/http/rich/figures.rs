//! Plots of matplotlib.

use serde_json::json;

use crate::support::Server;

/// Width and height of a PNG (its first chunk, RFC 2083), and that it ends as one.
fn size(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "not a PNG");
    assert!(png.ends_with(b"IEND\xaeB`\x82"), "not complete");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

#[tokio::test]
async fn a_plot_that_is_saved_comes_back() {
    let script = "
        import matplotlib.pyplot as plt

        def main():
            plt.figure(figsize=(3, 2), dpi=100)
            plt.plot([1, 3, 2])
            plt.savefig('plot.png')
    ";
    let told = Server::shared().run(script).await;
    told.returns(&json!(null));
    // It is open still, but was saved: it comes once.
    assert_eq!(told.names(), ["plot.png"], "{told}");
    assert_eq!(told.body["files"][0]["type"], "image/png");
    assert_eq!(size(&told.file("plot.png")), (300, 200));
}

/// The bytes are an image to others, too: a script decodes what another one drew.
#[tokio::test]
async fn a_plot_can_be_decoded() {
    let draw = "
        import matplotlib.pyplot as plt

        def main():
            plt.figure(figsize=(1, 1), dpi=50, facecolor=(1, 0, 0))
    ";
    let drawn = Server::shared().run(draw).await;
    let files = json!({ "in.png": { "base64": drawn.body["files"][0]["base64"] } });
    let decode = "
        from PIL import Image

        def main():
            image = Image.open('in.png')
            image.load()
            return [image.size, image.getpixel((1, 1))]
    ";
    Server::shared().run_with(decode, json!({ "files": files })).await.returns(&json!([[50, 50], [255, 0, 0, 255]]));
}

#[tokio::test]
async fn open_figures_come_back_as_images() {
    let script = "
        import matplotlib
        matplotlib.use('Agg')
        from matplotlib import pyplot as plt

        def main():
            plt.figure(figsize=(2, 1), dpi=100)
            plt.figure(7, figsize=(1, 1), dpi=100)
            plt.plot([1, 2])
            plt.show()
            plt.figure(8)
            plt.close()
            return len(plt.get_fignums())
    ";
    let told = Server::shared().run(script).await;
    told.returns(&json!(2));
    assert_eq!(told.names(), ["figure-1.png", "figure-7.png"], "{told}");
    assert_eq!((size(&told.file("figure-1.png")), size(&told.file("figure-7.png"))), ((200, 100), (100, 100)));
}

#[tokio::test]
async fn a_figure_that_cannot_be_drawn_takes_no_result_away() {
    let script = "
        import matplotlib.pyplot as plt

        class Broken(plt.Figure):
            def draw(self, renderer):
                raise RuntimeError('no')

        def main():
            plt.figure(FigureClass=Broken)
            plt.figure()
            return 5
    ";
    let told = Server::shared().run(script).await;
    told.returns(&json!(5));
    assert_eq!(told.body["stderr"], "figure-1.png could not be drawn: RuntimeError: no\n", "{told}");
    assert_eq!(told.names(), ["figure-2.png"], "{told}");
}
