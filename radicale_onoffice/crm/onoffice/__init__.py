"""onOffice's enterprise API as the CRM behind the store.

====================  ==================================================================================================
protocol              bytes ↔ actions, rows, refusals; signatures. No I/O.
client                HTTP: several actions a request, tries, deadline; answered, refused, down or unknown
fields, contacts,     the field tables: a value ↔ a row, and the difference of two values as actions. No I/O.
appointments, tasks
account, survey       users, groups, types and fields of one customer's onOffice, asked for once a day
rows                  a record of any kind, whole: its own call and its relations in one request
walks, polling        all records of a kind in few requests; what changed since a moment, in one
mirror                pull: fill, poll, sweep
tenants               where each tenant's token and secret lie
====================  ==================================================================================================

**Reading.** Faces read the store only. ``Mirror.turn`` brings it up to date: one small step that whoever has a clock calls (a thread of
``serve`` every poll interval, a command with a progress bar), in any process: the tenant's lease lets one of them through. A page of rows is
one commit with the memory of how far the pull is (``Records.adopt_all``), so it can be killed anywhere. Rows are told apart by a digest of
all that they say, not by their stamps, whose zone and precision are onOffice's secret. A row becomes a value *on top of* the stored one:
slots, pictures, reminders of tasks, who took a task off a device, and fields that the account lacks are ours alone and survive. What changed
here after the tenant's change number at the time of asking, and what has an errand on its way, is not touched but read again: an older row
must not undo a device's write.

**Writing** (``writing``: ports.Crm over ``rows``). onOffice first, then the store; no transaction is open while HTTP runs.

1. ``rows.modify(crm_id, record.value, value, account)``: no actions → what changed is ours alone; nothing is asked, nothing is sent.
2. An errand in state SENT is committed before anything is sent. It outlives a kill.
3. One request looks, writes and reads back: ``[*reads, *actions, *reads]``; results come in order. What was read first is not what the store
   has → what was written over is put back, ``Records.adopt`` and Conflict: ``Records.put`` merges by field and tries again. Where putting
   back would not restore what was there, step 3 is two requests: a look, then ``[*actions, *reads]``. So only fields that the device changed
   are ever sent, and what somebody else changed stands. A refusal among the actions: what was read behind it is adopted (an earlier action
   may have been done), the errand is dropped, RefusedByOnOffice carries onOffice's words. A create needs its id first for ``after_create``,
   so that is a second request.
4. ``Held(rows.load(kind, row, account, value, ours=ids of entries that onOffice did not have), mirror.link_of(kind, row))`` goes back to ``Records``,
   whose commit saves record, history, link and the end of the errand together.

**Unknown outcome** (OutcomeUnknown, or a SENT errand found at start). Read back, never repeat: a change is done if ``rows.modify(id, what is there
now, after)`` is empty, and not done if what is there equals ``before``; a create is looked for among the records that changed since the errand
(``settling.changed_since``) and have no link: one whose value equals ``after`` in what onOffice can hold is it. Found neither way after ``settling.LATE``:
not done. Until then the device gets 503, and a repetition of its write finds the errand by record id or UID before anything is sent.

**Outage** (UpstreamDown). ``refuse``: the error goes through to the face. ``queue``: the store commits at once with an errand in state WAITING; the
turn after recovery sends errands in order, each by the steps above, before it polls; Conflict and RefusedByOnOffice turn it to REFUSED with its
reason, and the record is adopted as onOffice has it. Entries that a device adds meanwhile have ids of our own: they are ``ours`` when sent.
"""
