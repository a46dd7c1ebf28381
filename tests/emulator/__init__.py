"""onOffice's enterprise API as a program of its own, to test clients against. It shares no code with ``radicale_onoffice``.

It holds one customer's account (addresses, appointments, tasks, users, groups, links, rights, log) in SQLite and answers as the contract
file's sections 1 to 11 say. What the documentation leaves open is a switch, with how sure anybody is (``switches``, or ``--help``).

Start it for people:         python -m tests.emulator --port 8090 --demo      (page at /, API at /api/stable/api.php)
In a test, without a socket: emulator = Emulator(clock=clock); httpx.Client(transport=emulator.transport(), base_url="https://api.example")
In a test, as ASGI:          emulator.app()
In a test, with a socket:    with emulator.serve() as url: …
Behind the API's back:       emulator.control.…; of a process: RemoteControl("http://127.0.0.1:8090").…  (module ``control``)
Faults:                      emulator.control.fault(kind="status", status=429, times=2) or control.chaos(0.1, seed=7)  (module ``faults``)

Not built, and answered with error 25: userphoto, file, uploadfile, appointmentConflicts, appointmentAffirmation, accessControl,
multiselectconfiguration, recordsLastSeen, executeMarketplaceWebhooks, and estates beyond being linked.
"""

from .control import Control, RemoteControl
from .emulator import SECRET, TOKEN, Emulator

__all__ = ["SECRET", "TOKEN", "Control", "Emulator", "RemoteControl"]
