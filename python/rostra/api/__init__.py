"""The doors: each decodes, calls the service, encodes. No rule of a Space lives here."""
