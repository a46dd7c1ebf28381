"""The fields and kinds of action of a fresh account (contract 5.2, 6.2, 7.2, 8.1, 8.4), and countries.

An account's administrator adds and removes fields: ``Control.set_field`` and ``drop_field`` do the same.
"""

from __future__ import annotations

from typing import Any


def _table(text: str) -> dict[str, dict[str, Any]]:
    """Lines ``name type[length] [value,value or key=label,…]`` as a module's part of the field configuration."""
    fields = {}
    for line in text.strip().splitlines():
        name, kind, *rest = line.split(None, 2)
        kind, _, length = kind.partition(":")
        values: Any = None
        if rest:
            pairs = [one.partition("=") for one in rest[0].split(",")]
            values = {key: label for key, _, label in pairs} if pairs[0][1] else [key for key, _, _ in pairs]
        fields[name] = {"type": kind, "length": int(length) if length else None, "permittedvalues": values, "default": None}
    return fields


STANDARD_FIELDS = {
    "address": _table("""
KdNr integer
Anrede singleselect Herr,Frau,Firma,Familie,Eheleute
Titel varchar:80
Vorname varchar:80
Name varchar:80
Anrede2 varchar:80
Titel2 varchar:80
Vorname2 varchar:80
Name2 varchar:80
Geburtsdatum2 date
Zusatz1 varchar:80
Zusatz2 varchar:80
Strasse varchar:80
Plz varchar:20
Ort varchar:80
Land varchar:80
Postfach varchar:80
Plz_postfach varchar:20
LKZ varchar:10
Telefon1 varchar:40
Telefax1 varchar:40
Email varchar:100
Homepage text
Briefanrede text
Geburtsdatum date
ArtDaten multiselect Eigentümer,Interessent,Kunde,Makler,Mieter,Systembenutzer
Beziehung multiselect Bekannter,Familie,Kollege
HerkunftKontakt multiselect Empfehlung,Internet,Zeitung
Benutzer text
betreuer2 text
Status singleselect 1,0
Status2Adr singleselect status2adr_active,status2adr_archive
Eintragsdatum date
kunde_seit date
Letzte_Aktion date
letzter_Kontakt datetime
SpracheKontakt singleselect DEU,ENG,ITA
KontaktformBevorzugt singleselect email,phone,letter
Geschlecht singleselect m,w,d
newsletter_aktiv singleselect 0,1,2,3,4,5
Vip boolean
Privat boolean
AGB_akzeptiert boolean
Rueckruf_akzeptiert boolean
jobTitle varchar:80
jobPosition varchar:80
employer varchar:255
additionalHeader varchar:255
DSGVOStatus singleselect speicherungbestaetigt,speicherungabgelehnt,neu
DSGVOSaveUntil date
ind_1_Feld_adressen1 varchar:100
"""),
    "calendar": _table("""
start_dt datetime
end_dt datetime
rp_flag boolean
description varchar:255
von varchar:60
erledigt boolean
note text
art singleselect
"""),
    "task": _table("""
Nr integer
Betreff varchar:255
Aufgabe text
Status varchar:30
erledigt boolean
Prio varchar:20
Art singleselect
Verantwortung varchar:60
Bearbeiter text
Verantwortung_Gruppe varchar:60
von text
Deadline datetime
Deadline_Zeit text
Deadline_strikt boolean
Beginnt_am date
Beginnt_um text
Erinnerung boolean
Erinnerungsdatum date
Erinnerungsdatum_Zeit text
Privat boolean
Stand integer
Aufwand_Soll_NUM float
Einheit_Aufwand_Soll varchar:20
Aufwand_Zusatz_NUM float
Einheit_Aufwand_Zusatz varchar:20
Kommentar text
publicDescription text
Eintragsdatum date
Austragsdatum date
modified date
"""),
    "user": _table("""
Nr integer
Name varchar:20
Anrede varchar:40
Titel varchar:40
Kuerzel varchar:20
Vorname varchar:80
Nachname varchar:80
Firma varchar:80
PLZ varchar:20
Ort varchar:80
Strasse varchar:80
Hausnummer varchar:20
Land varchar:80
province varchar:80
Mobil varchar:40
Telefon varchar:40
Fax varchar:40
Url varchar:80
email varchar:100
Emailname varchar:100
adrId:adressen.ID integer
usesAccount:account.id varchar:20
Sprache varchar:10
meetingUrl varchar:255
online varchar:40
userCreationDate datetime
"""),
}
# contract 7.2: read or written, but listed by no field configuration
NOT_IN_CONFIGURATION = {
    "task": {
        "Kommentar", "erledigt", "Stand", "Verantwortung_Gruppe", "Erinnerungsdatum_Zeit", "Austragsdatum",
        "Aufwand_Soll_NUM", "Einheit_Aufwand_Soll", "Aufwand_Zusatz_NUM", "Einheit_Aufwand_Zusatz",
    },
}  # fmt: skip

STANDARD_KINDS = [
    {
        "key": "Termin",
        "label": "Termin",
        "types": {"besichtigung": "Besichtigung", "meeting": "Besprechung", "notar": "Notartermin"},
        "default": "meeting",
    },
    {"key": "Aufgabe", "label": "Aufgabe", "types": {"anruf": "Anruf", "expose": "Exposé"}, "default": None},
    {"key": "Brief", "label": "Brief", "types": {}, "default": None},
]
TASK_TYPES = (167, 168, 169)  # numbers of the kind "Aufgabe", which no call tells (contract 7.2)

# name, ISO 3166 alpha-2, alpha-3
COUNTRIES = (
    ("Deutschland", "DE", "DEU"),
    ("Österreich", "AT", "AUT"),
    ("Schweiz", "CH", "CHE"),
    ("Italien", "IT", "ITA"),
    ("Frankreich", "FR", "FRA"),
    ("Spanien", "ES", "ESP"),
    ("Niederlande", "NL", "NLD"),
    ("Belgien", "BE", "BEL"),
    ("Luxemburg", "LU", "LUX"),
    ("Polen", "PL", "POL"),
    ("Dänemark", "DK", "DNK"),
    ("Tschechien", "CZ", "CZE"),
    ("Vereinigtes Königreich", "GB", "GBR"),
    ("Vereinigte Staaten", "US", "USA"),
)
