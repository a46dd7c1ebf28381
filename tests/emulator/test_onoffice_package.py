"""A second witness: the package ``onoffice`` of PyPI, which others use with the real API, talks to the emulator.

It signs by itself (HMAC version 2), sends GET with a JSON body, reads pages by cntabsolute, and takes an error by its top status.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from onoffice.actions import Action
from onoffice.api import API
from onoffice.parameters import Data, Filter, Newsletter, ReadParameter
from onoffice.resources import Resource

from tests.emulator import SECRET, TOKEN, Emulator


@pytest.fixture
def office():
    """An emulator at the real time, which the package takes from the system, and its own Python object."""
    emulator = Emulator(switches={"get_with_body": True})
    with emulator.serve() as url:
        package = API(TOKEN, SECRET)
        package.endpoint = f"{url}/api/stable/api.php"
        yield package, emulator.control
    emulator.close()


@dataclass
class Person(Data):
    """Flat parameters of an address."""

    last_name: str

    def serialize_data(self):
        return {"Name": self.last_name, "phone": "+49 241 900100"}


def test_it_reads_page_by_page(office):
    """With its own filter, limit and offset; the second page is asked for by what it gave with the first."""
    package, control = office
    control.add_many("address", [{"data": {"Name": f"Beispiel {n}"}} for n in range(3)])
    control.add("address", {"Name": "Muster"})
    parameter = ReadParameter(data=["Name"], filters=[Filter(key="Name", op="like", val="Bei%")], limit=2)
    answer, following = package.read_resource(Resource.ADDRESS, parameter)
    assert (3, ["Beispiel 0", "Beispiel 1"]) == (answer["count"], [one["elements"]["Name"] for one in answer["data"]])
    answer, following = following()
    assert (["Beispiel 2"], None) == ([one["elements"]["Name"] for one in answer["data"]], following)


def test_it_creates_and_edits(office):
    """The number of what it made is in the first record."""
    package, control = office
    assert [{"id": 1, "type": "address", "elements": []}] == package.create_resource(Resource.ADDRESS, Person("Beispiel"))["data"]
    assert {"success": "success"} == package.edit_resource(Resource.ADDRESS, 1, Newsletter(1))["data"][0]["elements"]
    assert ("Beispiel", "1") == (control.get("address", 1)["Name"], control.get("address", 1)["newsletter_aktiv"])


def test_it_reads_users(office):
    """Another resource with the same parameters."""
    package, _ = office
    answer, _ = package.read_resource(Resource.USER, ReadParameter(data=["Name"]))
    assert [{"Name": "api"}] == [one["elements"] for one in answer["data"]]


def test_it_gets_errors_as_the_status_of_the_result(office):
    """A wrong secret; with the shape of the documentation and with that of the recorded answer."""
    package, control = office
    package.secret = "e" * 64
    for shape in ("a", "b"):
        control.set_switch("error_shape", shape)
        expected = {"errorcode": 137, "message": "The HMAC is invalid."}
        assert expected == package.create_resource(Resource.ADDRESS, Person("Beispiel"))


def test_its_paging_is_refused_for_tasks(office):
    """It sends listoffset with every read, which tasks do not take (contract 7.1)."""
    package, _ = office
    parameters = ReadParameter(data=["Betreff"])
    refused = package.request([package.get_action(Resource.TASK, Action.READ, parameters)])
    assert 144 == refused["errorcode"]
