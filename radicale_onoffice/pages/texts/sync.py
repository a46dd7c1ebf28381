"""My sync."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str | tuple[str, str]]] = {
    "de": {
        "lock_notice": "Ihr Sync-Zugang ist gesperrt, weil zu oft ein falsches Passwort kam. Ändern Sie das Passwort zuerst auf allen Geräten, dann entsperren Sie.",
        "unlock": "Sync-Zugang entsperren",
        "unlocked": "Ihr Sync-Zugang wurde entsperrt!",
        "what_is_synchronised": "Was synchronisiert wird",
        "kind_on": "wird synchronisiert",
        "kind_off": "wird nicht synchronisiert",
        "maintenance": "Wartung: {message}",
        "deviations": "Abweichend gespeichert",
    },
    "en": {
        "lock_notice": "Your sync access is locked, because a wrong password came too often. First change the password on all devices, then unlock.",
        "unlock": "Unlock sync access",
        "unlocked": "Your sync access has been unlocked!",
        "what_is_synchronised": "What is synchronised",
        "kind_on": "is synchronised",
        "kind_off": "is not synchronised",
        "maintenance": "Maintenance: {message}",
        "deviations": "Stored with deviations",
    },
    "it": {
        "lock_notice": "L'accesso alla sincronizzazione è bloccato per troppe password errate. Prima cambi la password su tutti i dispositivi, poi sblocchi.",
        "unlock": "Sblocca l'accesso alla sincronizzazione",
        "unlocked": "L'accesso alla sincronizzazione è stato sbloccato!",
        "what_is_synchronised": "Che cosa viene sincronizzato",
        "kind_on": "viene sincronizzato",
        "kind_off": "non viene sincronizzato",
        "maintenance": "Manutenzione: {message}",
        "deviations": "Salvato con differenze",
    },
}
