"""Reads the machine's files, straight and round every corner: none can be read."""
import glob
import os

SECRETS = """
/etc/shadow /etc/gshadow /etc/sudoers /etc/ssh/ssh_host_rsa_key /root/.ssh/id_rsa /root/.bash_history
/root/.aws/credentials /root/.config/gcloud/credentials.db /root/.docker/config.json /root/.netrc
/var/run/secrets/kubernetes.io/serviceaccount/token /run/docker.sock /var/run/docker.sock
/proc/1/environ /proc/1/root/etc/shadow /proc/kcore /proc/kmsg /dev/mem /dev/kmsg /boot/vmlinuz
/var/log/syslog /var/log/auth.log /sys/kernel/notes /sys/firmware/dmi/tables/DMI
""".split()
WAYS = ["", "/proc/self/root", "/proc/1/root", "/proc/self/cwd", "/proc/1/cwd", "..", "/..", "../" * 40, "/proc/thread-self/root/.."]


def opens(path):
    try:
        with open(path, "rb") as file:
            file.read(1)
        return True
    except OSError:
        return False


def main(canary=""):
    breaches = [path for path in SECRETS if opens(path)]
    breaches += glob.glob("/home/*") + glob.glob("/root/*") + glob.glob("/root/.*")
    for way in WAYS if canary else ():
        if opens(way + canary):
            breaches.append(f"{canary} by {way!r}")
        for directory in (os.path.dirname(canary), "/"):
            try:
                if os.path.basename(canary) in os.listdir(way + directory):
                    breaches.append(f"{canary} listed by {way!r}")
            except OSError:
                pass
    for target in filter(None, (canary, "/etc/shadow", "/sys/kernel/notes")):
        try:
            os.symlink(target, "link")
            if opens("link"):
                breaches.append(f"{target} by a symbolic link")
            os.remove("link")
        except OSError:
            pass
        try:
            os.link(target, "hard")
            breaches.append(f"{target} by a hard link")
        except OSError:
            pass
    return {"tried": len(SECRETS) + len(WAYS), "breaches": breaches}
