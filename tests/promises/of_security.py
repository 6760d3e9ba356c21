"""What is promised whoever writes objects, asks for pages, or listens."""

from tests.promises.promise import Broken, Promise

_CONTAINED = "tests/security/test_contained.py"

PROMISES = (
    Promise(
        words="No text of an object becomes a part of a rule",
        test="tests/security/test_hostile_objects.py",
        only="json",
        broken=Broken(
            how="names of ports are taken as they are",
            file="pykubeproxy/cluster/translate.py",
            old='name=_port_name(port.name or "", f"{field}.name"),\n                protocol=',
            new='name=port.name or "",\n                protocol=',
        ),
    ),
    Promise(
        words="An object that makes no sense leaves its former version in force, and disturbs no other",
        test="tests/daemon/test_what_cannot_be_used.py",
        only="no_sense",
        broken=Broken(
            how="it is taken for deleted",
            file="pykubeproxy/cluster/tracker.py",
            old="            self._note_bad(name, str(error))\n            return\n",
            new="            self._note_bad(name, str(error))\n"
            "            self._pending[name] = None\n"
            "            return\n",
        ),
    ),
    Promise(
        words="YAML whose aliases multiply is refused before they do",
        test="tests/security/test_alias_bombs.py",
        # Sixteen levels would take all memory.
        only="5",
        broken=Broken(
            how="nobody counts what it means",
            file="pykubeproxy/config/aliases.py",
            old="        if size > _MOST_VALUES and size > _MOST_REPETITION * len(sizes):\n",
            new="        if not size:\n",
        ),
    ),
    Promise(
        words="A log has one line for each event, whatever the event quotes",
        test="tests/security/test_hostile_objects.py",
        only="console",
        broken=Broken(
            how="control characters are written as they are",
            file="pykubeproxy/model/printable.py",
            old="    if text.isprintable():\n",
            new="    if text:\n",
        ),
    ),
    Promise(
        words="Secrets are never shown",
        test="tests/security/test_secrets.py",
        only="command_line",
        broken=Broken(
            how="a URL is shown with the password in it",
            file="pykubeproxy/config/addresses.py",
            old='    return _USER.sub(r"\\1xxxxx@", url)',
            new="    return url",
        ),
    ),
    Promise(
        words="The API server's certificate is verified",
        test="tests/cluster/test_certificates.py",
        broken=Broken(
            how="any certificate will do",
            file="pykubeproxy/cluster/access.py",
            old="    if not configuration.verify_ssl:\n        _silence_insecure_warnings()\n",
            new="    configuration.verify_ssl = False\n",
        ),
    ),
    Promise(
        words="Slow clients hold up nobody",
        test="tests/security/test_hostile_clients.py",
        only="slow",
        broken=Broken(
            how="there is no limit to how many may wait, and new ones are not accepted meanwhile",
            file="pykubeproxy/web/server.py",
            old="        self._make_room(listener)\n        connection",
            new="        if len(self._connections) >= self._room.per_listener:\n"
            "            sock.close()\n"
            "            return\n"
            "        connection",
        ),
    ),
    Promise(
        words="Rude requests are refused",
        test="tests/security/test_hostile_clients.py",
        only="rude",
        broken=Broken(
            how="a bad request is an error of the server's",
            file="pykubeproxy/web/connection.py",
            old="        except BadRequest as bad:\n",
            new="        except KeyError as bad:\n",
        ),
    ),
    Promise(
        words="CAP_NET_ADMIN and CAP_NET_RAW are enough",
        test=_CONTAINED,
        only="nft and answers",
        broken=Broken(
            how="the daemon sets its host name at start, for which CAP_SYS_ADMIN is needed",
            file="pykubeproxy/daemon/node_daemon.py",
            old="        self._serve(closing)\n",
            new="        import socket\n"
            "        socket.sethostname(socket.gethostname())\n"
            "        self._serve(closing)\n",
        ),
    ),
    Promise(
        words="All file systems but /tmp may be read-only",
        test=_CONTAINED,
        only="nft and answers",
        broken=Broken(
            how="a file is kept in /var/lib",
            file="pykubeproxy/daemon/node_daemon.py",
            old="        self._serve(closing)\n",
            new="        open('/var/lib/pykubeproxy-state', 'w').close()\n        self._serve(closing)\n",
        ),
    ),
)
