"""The proxies of docs/how-to/proxy.md, with the configurations of the documents."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.gateway import free_port
from tests.acceptance.servers import config, program, running

PROXIES = ("nginx", "caddy", "haproxy", "apache")

_MODULES = ("mpm_event", "authz_core", "ssl", "proxy", "proxy_http", "http2")
_NGINX_MAIN = "daemon off; error_log stderr; pid nginx.pid;"


@contextmanager
def proxy(name: str, folder: Path, gateway_port: int) -> Iterator[str]:
    """A proxy in front of a gateway on this machine; its URL, with a certificate of its own."""
    folder.mkdir()
    _make_certificate(folder)
    port = free_port()
    command = _COMMANDS[name](folder, port, f"127.0.0.1:{gateway_port}")
    url = f"https://localhost:{port}"
    with running(command, folder, url):
        yield url


def nginx_command(folder: Path, file: Path) -> list[str]:
    """Run nginx with a configuration, everything that it writes in `folder`."""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = file.read_text().replace("http {", f"http {{ access_log off; {temporary}", 1)
    file.write_text(text)
    main = _NGINX_MAIN + (" user root;" if os.getuid() == 0 else "")
    return [program("nginx", "nginx"), "-p", str(folder), "-c", str(file), "-g", main]


def _nginx(folder: Path, port: int, gateway: str) -> list[str]:
    file = config(
        "nginx.conf",
        folder,
        **{"443": str(port), "127.0.0.1:8002": gateway, "/etc/ssl": str(folder)},
    )
    return nginx_command(folder, file)


def _caddy(folder: Path, port: int, gateway: str) -> list[str]:
    file = config(
        "Caddyfile",
        folder,
        **{
            "agents.example.org": f"https://localhost:{port}",
            "127.0.0.1:8002": gateway,
            "/etc/ssl": str(folder),
        },
    )
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    file.write_text(options + file.read_text())
    return [
        *("env", f"HOME={folder}", f"XDG_DATA_HOME={folder}", f"XDG_CONFIG_HOME={folder}"),
        *(program("caddy", "caddy"), "run", "--config", str(file)),
    ]


def _haproxy(folder: Path, port: int, gateway: str) -> list[str]:
    file = config(
        "haproxy.cfg",
        folder,
        **{":443": f"127.0.0.1:{port}", "127.0.0.1:8002": gateway, "/etc/ssl": str(folder)},
    )
    return [program("haproxy", "haproxy"), "-db", "-f", str(file)]


def _apache(folder: Path, port: int, gateway: str) -> list[str]:
    file = config(
        "apache.conf",
        folder,
        **{"443": str(port), "127.0.0.1:8002": gateway, "/etc/ssl": str(folder)},
    )
    lines = [f"ServerRoot {folder}", "PidFile apache.pid", "ErrorLog /dev/stderr"]
    lines += [f"Mutex file:{folder}", "ServerName localhost", f"DefaultRuntimeDir {folder}"]
    modules = "/usr/lib/apache2/modules"
    lines += [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in _MODULES]
    if os.getuid() == 0:
        lines += ["User www-data", "Group www-data"]
    file.write_text("\n".join([*lines, file.read_text()]))
    return [program("apache2", "apache2-bin"), "-f", str(file), "-DFOREGROUND"]


_COMMANDS: dict[str, Callable[[Path, int, str], list[str]]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "haproxy": _haproxy,
    "apache": _apache,
}


def _make_certificate(folder: Path) -> None:
    key, certificate = folder / "agents.key", folder / "agents.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    (folder / "agents-with-key.pem").write_text(certificate.read_text() + key.read_text())
