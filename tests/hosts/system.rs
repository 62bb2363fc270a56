//! What scripts ask a system for, besides files: the same small script has the same right answer on every host.

use serde_json::{Value, json};

use crate::host::Host;

/// Those that differ in how they keep a script in.
const HOSTS: [Host; 4] = [Host::User, Host::Container, Host::ContainerRoot, Host::Lambda];

async fn is_answered(hosts: &[Host], script: &str, result: &Value) {
    for host in hosts {
        let service = host.start_with(&[("EXECUTOR_PRELOAD", "")]);
        println!("{host:?}");
        service.run_with(script, json!({})).await.returns(result);
    }
}

/// The C library has no file of a zone where the host's root stays but the runtime's, and none at all on Lambda.
#[tokio::test]
async fn the_c_library_knows_time_zones() {
    let script = "
        import datetime, os, time

        def at(zone, moment=0):
            os.environ['TZ'] = zone
            time.tzset()
            return time.strftime('%H:%M %Z', time.localtime(moment))

        def main():
            summer = 1720000000
            said = [at('America/New_York'), at('America/New_York', summer), at('Europe/Rome'), at('Asia/Kolkata'), at(':Asia/Tokyo')]
            said += [at('EST5EDT'), at('XYZ-3'), at('UTC'), os.environ['TZ'], at('Europe/Rome', summer), os.environ['TZ'], time.tzname]
            said += [time.mktime((2024, 7, 1, 0, 0, 0, 0, 0, -1)), str(datetime.datetime.fromtimestamp(summer).astimezone())]
            del os.environ['TZ']
            time.tzset()
            return said + [time.strftime('%H:%M %Z', time.localtime(0))]
    ";
    let result = json!([
        "19:00 EST",
        "05:46 EDT",
        "01:00 CET",
        "05:30 IST",
        "09:00 JST",
        "19:00 EST",
        "03:00 XYZ",
        "00:00 UTC",
        "UTC",
        "11:46 CEST",
        "Europe/Rome",
        ["CET", "CEST"],
        1_719_784_800.0,
        "2024-07-03 11:46:40+02:00",
        "00:00 UTC"
    ]);
    is_answered(&HOSTS, script, &result).await;
}

/// The runtime says who there is, and a script is one of them by whatever number it has.
#[tokio::test]
async fn users_and_groups_have_names() {
    let script = "
        import getpass, grp, os, pathlib, pwd

        def failure(function, argument):
            try:
                return function(argument)
            except (KeyError, TypeError) as error:
                return repr(error)

        def main():
            own, path = pwd.getpwuid(os.getuid()), pathlib.Path('x')
            path.touch()
            return [
                own.pw_dir, own.pw_shell, pwd.getpwnam(own.pw_name) == own, grp.getgrgid(os.getgid()).gr_mem, path.owner() == own.pw_name,
                path.group() == grp.getgrgid(os.getgid()).gr_name, pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name, getpass.getuser(),
                [user.pw_name for user in pwd.getpwall()], [group.gr_name for group in grp.getgrall()], os.path.expanduser('~nobody'),
                failure(pwd.getpwuid, 77), failure(pwd.getpwnam, 'none'), failure(grp.getgrgid, 77), failure(grp.getgrnam, 'none'),
                failure(pwd.getpwnam, 7), failure(pwd.getpwuid, 'a'), own.pw_name,
            ]
    ";
    let result = |name| {
        json!([
            "/tmp",
            "/usr/sbin/nologin",
            true,
            [],
            true,
            true,
            "root",
            "root",
            "sandbox",
            ["root", "sandbox", "nobody"],
            ["root", "sandbox", "nogroup"],
            "/tmp",
            "KeyError('getpwuid(): uid not found: 77')",
            "KeyError(\"getpwnam(): name not found: 'none'\")",
            "KeyError('getgrgid(): gid not found: 77')",
            "KeyError(\"getgrnam(): name not found: 'none'\")",
            "TypeError('getpwnam() argument must be str, not int')",
            "TypeError('uid should be integer, not str')",
            name
        ])
    };
    is_answered(&[Host::User, Host::Container, Host::Lambda], script, &result("sandbox")).await;
    is_answered(&[Host::ContainerRoot], script, &result("root")).await;
}

#[tokio::test]
async fn services_and_protocols_have_their_numbers() {
    let script = "
        import socket

        def failure(function, *arguments):
            try:
                return function(*arguments)
            except (OSError, OverflowError) as error:
                return str(error)

        def main():
            return [
                [socket.getservbyname('https'), socket.getservbyname('domain', 'udp'), socket.getservbyname('www', 'tcp')],
                [socket.getservbyport(22), socket.getservbyport(53, 'udp'), socket.getservbyport(80, 'tcp')],
                [socket.getprotobyname('udp'), socket.getprotobyname('TCP'), socket.getprotobyname('ipv6-icmp')],
                [failure(socket.getservbyname, 'ssh', 'udp'), failure(socket.getservbyport, 1, 'udp')],
                [failure(socket.getservbyport, 70000), failure(socket.getprotobyname, 'none')],
                socket.getaddrinfo('localhost', 'https', 0, socket.SOCK_STREAM)[0][4],
                socket.getaddrinfo('127.0.0.1', 'www', socket.AF_INET, socket.SOCK_STREAM)[0][4],
            ]
    ";
    let result = json!([
        [443, 53, 80],
        ["ssh", "domain", "http"],
        [17, 6, 58],
        ["service/proto not found", "port/proto not found"],
        ["getservbyport: port must be 0-65535.", "protocol not found"],
        ["127.0.0.1", 443],
        ["127.0.0.1", 80],
    ]);
    is_answered(&HOSTS, script, &result).await;
}

#[tokio::test]
async fn localhost_has_an_address() {
    let script = "
        import socket

        def main():
            asked = [('localhost', 80), ('localhost', '80', 0, socket.SOCK_STREAM), ('localhost', None, socket.AF_INET6),
                     ('localhost', 80, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME), (b'LOCALHOST', 1, socket.AF_INET, socket.SOCK_STREAM)]
            said = [[[*map(int, one[:3]), one[3], *one[4][:2]] for one in socket.getaddrinfo(*arguments)] for arguments in asked]
            said += [socket.gethostbyname('localhost'), socket.gethostbyname_ex('localhost'), socket.gethostbyaddr('127.0.0.1')]
            try:
                socket.getaddrinfo('example.com', 80)
            except socket.gaierror:
                return said + [socket.gethostbyname('127.0.0.1'), socket.getfqdn('localhost')]
    ";
    let result = json!([
        [[2, 1, 6, "", "127.0.0.1", 80], [2, 2, 17, "", "127.0.0.1", 80], [2, 3, 0, "", "127.0.0.1", 80]],
        [[2, 1, 6, "", "127.0.0.1", 80]],
        [[10, 1, 6, "", "::1", 0], [10, 2, 17, "", "::1", 0], [10, 3, 0, "", "::1", 0]],
        [[2, 2, 17, "localhost", "127.0.0.1", 80]],
        [[2, 1, 6, "", "127.0.0.1", 1]],
        "127.0.0.1",
        ["localhost", [], ["127.0.0.1"]],
        ["localhost", [], ["127.0.0.1"]],
        "127.0.0.1",
        "localhost"
    ]);
    is_answered(&HOSTS, script, &result).await;
}

/// Without a call that changes what a name leads to, which might be somebody else's.
#[tokio::test]
async fn rights_that_were_taken_can_be_given_back() {
    let script = "
        import os, shutil, tempfile

        def main():
            said = []
            os.mkdir('d')
            for mode in (0, 0o100, 0o200, 0o300, 0o400, 0o500):
                with open('a', 'w') as file:
                    file.write('x')
                os.chmod('a', mode)
                os.chmod('d', mode)
                os.utime('a', (mode, mode))
                os.chown('a', os.getuid(), os.getgid())
                shutil.chown('d', 'sandbox', 'sandbox')
                os.chmod('a', 0o644)
                os.chmod('d', 0o755)
                said.append([open('a').read(), os.stat('a').st_mtime == mode, oct(os.stat('a').st_mode), os.listdir('d')])
            for number in range(200):
                os.close(os.open(f'd/{number}', os.O_CREAT))
                os.chmod(f'd/{number}', 0)
                os.chmod(f'd/{number}', 0o400)
            os.chmod('a', 0)
            try:
                open('a')
            except PermissionError as error:
                said.append(str(error))
            with tempfile.TemporaryDirectory() as directory:
                os.mkdir(directory + '/inside')
                open(directory + '/inside/file', 'w').close()
                os.chmod(directory + '/inside', 0)
            return said + [os.path.exists(directory)]
    ";
    let given_back = json!(["x", true, "0o100644", []]);
    let mut result = vec![given_back; 6];
    result.extend([json!("[Errno 13] Permission denied: 'a'"), json!(false)]);
    is_answered(&[Host::User, Host::Container, Host::Lambda], script, &Value::from(result)).await;
}

#[tokio::test]
async fn links_are_copied() {
    let script = "
        import os, shutil

        def main():
            os.mkdir('d')
            os.symlink('x', 'd/link')
            with open('d/file', 'w') as file:
                file.write('f')
            os.utime('d/file', (5, 5))
            shutil.copytree('d', 'e', symlinks=True)
            shutil.copy2('d/link', 'copy', follow_symlinks=False)
            os.utime('d/file', (6, 6), follow_symlinks=False)
            try:
                os.utime('d/link', (7, 7), follow_symlinks=False)
                changed = os.lstat('d/link').st_mtime == 7
            except NotImplementedError as error:
                changed = str(error)
            return sorted(os.listdir('e')), os.readlink('e/link'), os.stat('e/file').st_mtime, os.readlink('copy'), os.stat('d/file').st_mtime, changed
    ";
    let result = |changed| json!([["file", "link"], "x", 5.0, "x", 6.0, changed]);
    is_answered(&[Host::User, Host::Lambda], script, &result(json!(true))).await;
    let refused = json!("utime: a link itself cannot be changed under this host's sandbox");
    is_answered(&[Host::Container], script, &result(refused)).await;
}
