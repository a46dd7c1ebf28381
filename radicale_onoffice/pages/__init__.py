"""The pages for people: a user's own sync, contacts and devices, and an administrator's view of all.

``web.py`` turns what Radicale hands over into an ``exchange.Request``; ``site.Site`` finds the view in ``routes.py`` and gives back an
``exchange.Answer``. A view reads and acts by calling the core, and hands values to a template. Views hold no rule: who may do what is
decided where both faces ask, too. Texts stand in ``texts/``, one module per page with all languages side by side.
"""
