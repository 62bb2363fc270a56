//! What a script must not get at in a function: its credentials, and the interface that hands out invocations.

use crate::emulator::{Emulator, SECRET};

#[tokio::test]
async fn a_script_sees_no_variable_of_lambda() {
    let script = "
        import os

        def main():
            return sorted(name for name in os.environ if name.startswith(('AWS', '_', 'LAMBDA', 'EXECUTOR')))
    ";
    Emulator::shared().run(script).await.direct().succeeds("[]", "");
}

#[tokio::test]
async fn credentials_are_in_no_process_that_a_script_can_read() {
    // The search finds what is in the script's own memory, so it would find the credentials, too.
    let script = format!(
        "
        import glob

        def main():
            def holds(path, secret):
                try:
                    with open(path, 'rb') as file:
                        return secret in file.read()
                except OSError:
                    return False

            with open('decoy', 'wb') as file:
                file.write(b'decoy')
            secret = {reversed:?}[::-1].encode()
            paths = glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline')
            return [holds('decoy', b'decoy'), len(paths) > 0, [path for path in paths if holds(path, secret)]]
        ",
        reversed = SECRET.chars().rev().collect::<String>()
    );
    Emulator::shared().run(&script).await.direct().succeeds("[true,true,[]]", "");
}

#[tokio::test]
async fn a_script_cannot_take_an_invocation() {
    let function = Emulator::start();
    function.is_well().await;
    let address = function.api();
    std::net::TcpStream::connect(address).expect("the interface is there for the function");
    let script = format!(
        "
        import socket

        def main():
            try:
                socket.create_connection(('{}', {}), timeout=5).close()
            except OSError:
                return 'refused'
            return 'connected'
        ",
        address.ip(),
        address.port()
    );
    function.run(&script).await.direct().succeeds("\"refused\"", "");
    function.is_well().await;
}
