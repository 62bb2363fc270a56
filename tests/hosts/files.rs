//! Files go in and out on every host: also where a script can open none, and they are kept in its own memory.

use serde_json::json;

use crate::host::Host;

const SCRIPT: &str = "
    import csv, json, os, pathlib, tempfile
    import pandas as pd

    def main():
        frame = pd.read_csv('in/table.csv')
        frame['double'] = frame['n'] * 2
        os.makedirs('out')
        frame.to_csv('out/table.csv', index=False)
        pathlib.Path('note.txt').write_text('é')
        with tempfile.TemporaryFile() as file:
            file.write(b'gone')
        with open('left-open.json', 'w') as file:
            json.dump({'n': 1}, file)
        return sorted(str(path) for path in pathlib.Path('.').rglob('*'))
";

async fn files_go_in_and_out(host: Host) {
    let service = host.start();
    let files = json!({ "in/table.csv": { "text": "n\n1\n2\n" }, "logo.bin": { "base64": "AP8=" } });
    let told = service.run_with(SCRIPT, json!({ "files": files })).await;
    let names = ["in", "in/table.csv", "left-open.json", "logo.bin", "note.txt", "out", "out/table.csv"];
    told.returns(&json!(names));
    let expected = [
        ("left-open.json", &br#"{"n": 1}"#[..]),
        ("note.txt", "é".as_bytes()),
        ("out/table.csv", b"n,double\n1,2\n2,4\n"),
    ];
    let expected = expected.map(|(name, content)| (name.to_owned(), content.to_vec()));
    assert_eq!(told.files(), expected, "{host:?}: {told}");
}

#[tokio::test]
async fn files_go_in_and_out_for_an_ordinary_user() {
    files_go_in_and_out(Host::User).await;
}

#[tokio::test]
async fn files_go_in_and_out_in_gvisor() {
    files_go_in_and_out(Host::GVisor).await;
}

#[tokio::test]
async fn files_go_in_and_out_in_a_container() {
    files_go_in_and_out(Host::Container).await;
}

#[tokio::test]
async fn files_go_in_and_out_on_lambda() {
    files_go_in_and_out(Host::Lambda).await;
}

/// Drawn, and decoded by another script, on every kind of host.
#[tokio::test]
async fn a_plot_comes_from_lambda() {
    let service = Host::Lambda.start();
    let draw = "
        import matplotlib.pyplot as plt

        def main():
            plt.figure(figsize=(3, 2), dpi=100)
            plt.plot([1, 3, 2])
            plt.title('$x^2$')
            plt.savefig('plot.png')
            plt.figure(figsize=(1, 1), dpi=100)
    ";
    let drawn = service.run_with(draw, json!({})).await;
    drawn.returns(&json!(null));
    assert_eq!(drawn.names(), ["figure-2.png", "plot.png"], "{drawn}");
    let files = json!({
        "plot.png": { "base64": drawn.body["files"][1]["base64"] },
        "figure.png": { "base64": drawn.body["files"][0]["base64"] },
    });
    let decode = "
        from PIL import Image

        def main():
            sizes = []
            for name in ('plot.png', 'figure.png'):
                image = Image.open(name)
                image.load()
                sizes.append(image.size)
            return sizes
    ";
    let decoded = service.run_with(decode, json!({ "files": files })).await;
    decoded.returns(&json!([[300, 200], [100, 100]]));
}
