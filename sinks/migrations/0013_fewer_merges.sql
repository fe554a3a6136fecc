-- Merging was most of what the engine's threads did (docs/decisions/0027). Each part was merged with
-- its neighbours as soon as there were five of about a size; of ten, a row is merged half as often.
-- Tables that are read every second keep what they have.
--
-- How many different values a column of a part has is asked by nobody here; the least and the greatest
-- leave parts out of what is read.
ALTER TABLE events{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE interactions{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE customer_interactions{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE kpi_panes{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE agent_panes{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE conversation_panes{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE event_facts{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE agent_states{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

ALTER TABLE watermarks{local}{on_cluster}
    MODIFY SETTING merge_selector_base = 10, auto_statistics_types = 'basic';

-- A granule of events has 512 rows, and ZSTD begins anew for each column of it: for numbers that costs
-- more than it saves. Parts that are there keep their codecs until they are merged.
ALTER TABLE events{local}{on_cluster}
    MODIFY COLUMN IF EXISTS occurred_at DateTime64(3, 'UTC') CODEC(Default),
    MODIFY COLUMN IF EXISTS produced_at DateTime64(3, 'UTC') CODEC(Default),
    MODIFY COLUMN IF EXISTS source_offset UInt64 CODEC(Default),
    MODIFY COLUMN IF EXISTS version UInt64 CODEC(Default);
