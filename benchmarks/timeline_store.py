"""A store full of customers for `benchmarks.timeline`: made by SQL, in the shape of real rows.

Customers differ as they do in life: a contact's customer is drawn by the square of a uniform
number, so a few have thousands of contacts and most have few. Contacts lie over a year; their ids
are random, which is the worst case for a sorting key. Every third customer is known by two
identifiers, bound by `identity_map`. Deterministic: the same size gives the same rows.
"""

from typing import Final

from sinks.store import Store

TENANT: Final = "default"
EVENTS_A_CONTACT: Final = 6.5
"""Six of a call, eight of an e-mail; a quarter are e-mails."""
CONTACTS_A_CUSTOMER: Final = 20 / EVENTS_A_CONTACT
MONTHS: Final = 12
FIRST_AT: Final = "2025-01-01 00:00:00"
YEAR_MS: Final = 365 * 86_400_000
LOG: Final = "benchmark"

_KEY: Final = f"leftPad(lower(hex(xxh3_128(concat('{TENANT}', char(0), {{identifier}})))), 32, '0')"
"""As `streams.fold.customers.customer_key` has it."""
_PHONE: Final = "concat('phone:+49301', leftPad(toString(customer), 7, '0'))"
_EMAIL: Final = "concat('email:customer-', toString(customer), '@example.com')"
_UNIFORM: Final = "(cityHash64({salt}, number) % 1000000007) / 1000000007.0"

_CONTACTS: Final = f"""
SELECT
  number,
  lower(hex(sipHash128('contact', number))) AS id,
  toUInt32(floor({{customers:UInt32}} * pow({_UNIFORM.format(salt="'who'")}, 2))) AS customer,
  number % 4 = 3 AS is_email,
  if(is_email, 'email', 'call') AS channel,
  toDateTime64('{FIRST_AT}', 3, 'UTC')
    + toIntervalMillisecond(intDiv(number * {YEAR_MS}, {{contacts:UInt64}})) AS at,
  cityHash64('wait', number) % 240000 AS wait_ms,
  30000 + cityHash64('talk', number) % 900000 AS talk_ms,
  ['billing', 'sales', 'support'][number % 3 + 1] AS queue,
  concat('2', leftPad(toString(cityHash64('agent', number) % 200), 3, '0')) AS agent,
  cityHash64('rated', number) % 10 = 0 AS rated,
  {_PHONE} AS phone,
  {_EMAIL} AS email,
  customer % 3 = 0 AS has_both,
  if(is_email AND has_both, email, phone) AS identifier,
  {_KEY.format(identifier="identifier")} AS customer_key
FROM numbers({{first:UInt64}}, {{many:UInt64}})"""

_INTERACTIONS: Final = f"""
INSERT INTO interactions
(
  tenant, interaction_id, channel, direction, purpose, language, site, opened_at, started_at,
  last_event_at, ended_at, status, ended_by, disposition, resolved, topic, linked_to,
  customer_key, customer_name, identifiers, agents, wait_ms, talk_ms, hold_ms, wrapup_ms,
  missed_rings, transfers, messages_by_customer, messages_by_agent, messages_by_bot,
  messages_automatic, first_response_ms, disagreements, events, visits_queue,
  visits_entered_at, visits_exited_at, visits_ended_at, visits_outcome, visits_agent,
  visits_wait_ms, visits_talk_ms, visits_hold_ms, visits_holds, visits_wrapup_ms,
  visits_ring_ms, visits_missed_rings, visits_transfer, log, source_partition, version
)
SELECT
  '{TENANT}', id, channel, 'inbound', 'service', 'en', 'north',
  at, at, at + toIntervalMillisecond(wait_ms + talk_ms + 60000),
  at + toIntervalMillisecond(wait_ms + talk_ms), 'ended', 'customer', 'done', 1,
  ['invoice', 'delivery', 'contract', ''][number % 4 + 1], '',
  customer_key, '', [identifier], [agent],
  if(is_email, 0, wait_ms), if(is_email, 0, talk_ms), 0, 0, 0, [],
  if(is_email, 2, 0), if(is_email, 2, 0), 0, if(is_email, 1, 0),
  if(is_email, toNullable(toInt64(wait_ms)), NULL), 0, if(is_email, 8, 6),
  [queue], [at],
  [toNullable(at + toIntervalMillisecond(wait_ms))],
  [toNullable(at + toIntervalMillisecond(wait_ms + talk_ms))],
  ['answered'], [agent], [toNullable(toInt64(wait_ms))], [toNullable(toInt64(talk_ms))],
  [0], [0], [CAST(NULL, 'Nullable(Int64)')], [toNullable(toInt64(4000))], [0], [''],
  '{LOG}', number % 4, number + 1
FROM ({_CONTACTS})"""

_CUSTOMER_INTERACTIONS: Final = f"""
INSERT INTO customer_interactions
SELECT '{TENANT}', customer_key, id, at, channel, number + 1, 0
FROM ({_CONTACTS})"""

_STEPS_OF_A_CALL: Final = """[
    (0, 'interaction.started', concat('{"customer":{"identifiers":[{"kind":"phone","value":"',
      substring(phone, 7), '"}]}}')),
    (0, 'queue.entered', concat('{"queue":"', queue, '","position":1}')),
    (wait_ms, 'queue.exited', concat('{"queue":"', queue, '","reason":"answered","wait_seconds":',
      toString(wait_ms / 1000), '}')),
    (wait_ms, 'agent.connected', concat('{"agent":"', agent, '","queue":"', queue,
      '","wait_seconds":', toString(wait_ms / 1000), ',"ring_seconds":4}')),
    (wait_ms + talk_ms, 'interaction.ended', concat('{"by":"customer","queue":"', queue,
      '","agent":"', agent, '","talk_seconds":', toString(talk_ms / 1000), '}')),
    if(rated,
      (wait_ms + talk_ms + 60000, 'survey.submitted', '{"kind":"csat","score":4,"scale_max":5}'),
      (wait_ms + 1000, 'recording.started', concat('{"reference":"recordings/', id, '.wav"}')))]"""

_STEPS_OF_AN_EMAIL: Final = """[
    (0, 'interaction.started', concat('{"customer":{"identifiers":[{"kind":"email","value":"',
      substring(email, 7), '"}]}}')),
    (0, 'message.received', '{"author":"customer","text":"Where is my parcel? It was promised."}'),
    (1000, 'message.sent', '{"author":"bot","automatic":true,"text":"We have got your message."}'),
    (wait_ms, 'message.sent', concat('{"author":"agent","agent":"', agent,
      '","text":"It will be with you tomorrow morning."}')),
    (wait_ms + 9000, 'message.received', '{"author":"customer","text":"It came. Thank you."}'),
    (wait_ms + talk_ms, 'message.sent', concat('{"author":"agent","agent":"', agent,
      '","text":"You are welcome."}')),
    (wait_ms + talk_ms, 'interaction.ended', '{"by":"agent","resolved":true,"topic":"delivery"}'),
    (wait_ms + talk_ms + 60000, 'survey.submitted', '{"kind":"csat","score":5,"scale_max":5}')]"""

_EVENTS: Final = f"""
INSERT INTO events
SELECT
  '{TENANT}', id, happened_at, 'benchmark', event_id, step.2, concat('events.', channel),
  concat('{{"specversion":"1.0","id":"', event_id, '","source":"benchmark","type":"', step.2,
    '","time":"', formatDateTime(happened_at, '%FT%TZ'), '","subject":"', id, '","data":',
    step.3, '}}'),
  happened_at, '{LOG}', number % 4, offset, offset + 1
FROM
(
  SELECT *, step, number * 8 + nth AS offset, at + toIntervalMillisecond(step.1) AS happened_at,
    lower(hex(sipHash128('event', offset))) AS event_id
  FROM ({_CONTACTS})
  ARRAY JOIN
    if(is_email, {_STEPS_OF_AN_EMAIL}, {_STEPS_OF_A_CALL}) AS step,
    arrayEnumerate(if(is_email, {_STEPS_OF_AN_EMAIL}, {_STEPS_OF_A_CALL})) AS nth
)"""


_PEOPLE: Final = f"""
SELECT number * 3 AS customer, {_PHONE} AS phone, {_EMAIL} AS email,
  {_KEY.format(identifier="phone")} AS phone_key, {_KEY.format(identifier="email")} AS email_key,
  least(phone_key, email_key) AS id
FROM numbers(intDiv({{customers:UInt32}} + 2, 3))"""

_IDENTITY: Final = (
    f"""
INSERT INTO identity_map
SELECT '{TENANT}', greatest(phone_key, email_key), id, 1, 0 FROM ({_PEOPLE})""",
    f"""
INSERT INTO identity_members
SELECT '{TENANT}', id, key, 1 FROM ({_PEOPLE}) ARRAY JOIN [phone_key, email_key] AS key""",
    f"""
INSERT INTO identity_links
SELECT '{TENANT}', ends.1, ends.2, ends.3, ends.4, 'customer.linked', '', 'benchmark',
  toDateTime64('{FIRST_AT}', 3, 'UTC'), '{LOG}', 0, 1
FROM ({_PEOPLE})
ARRAY JOIN
  [(phone_key, email_key, phone, email), (email_key, phone_key, email, phone)] AS ends""",
)


def fill(store: Store, events: int) -> int:
    """Fill the (migrated, empty) store with about that many events; returns how many customers."""
    contacts = round(events / EVENTS_A_CONTACT)
    customers = round(contacts / CONTACTS_A_CUSTOMER)
    for statement in _IDENTITY:
        store.command(statement, {"customers": customers})
    for month in range(MONTHS):
        first = contacts * month // MONTHS
        parameters = {
            "customers": customers,
            "contacts": contacts,
            "first": first,
            "many": contacts * (month + 1) // MONTHS - first,
        }
        for statement in (_INTERACTIONS, _CUSTOMER_INTERACTIONS, _EVENTS):
            store.command(statement, parameters, {"max_insert_threads": 1})
    return customers
