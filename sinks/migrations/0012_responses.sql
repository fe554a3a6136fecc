-- Each response, and who solved a contact: so that responses and resolutions can be told apart by
-- agent, language, site and the like, and be listed. Of contacts that are there they are told with
-- the next event, or by a replay; until then they count by queue, channel and direction alone.
ALTER TABLE interactions{local}{on_cluster}
    ADD COLUMN IF NOT EXISTS responses_at Array(DateTime64(3, 'UTC')) AFTER reply_ms,
    ADD COLUMN IF NOT EXISTS responses_reply_ms Array(Nullable(Int64)) AFTER responses_at,
    ADD COLUMN IF NOT EXISTS responses_agent Array(String) AFTER responses_reply_ms,
    ADD COLUMN IF NOT EXISTS solved_agent Array(String) AFTER solved_at;

-- cluster only
ALTER TABLE interactions{on_cluster}
    ADD COLUMN IF NOT EXISTS responses_at Array(DateTime64(3, 'UTC')) AFTER reply_ms,
    ADD COLUMN IF NOT EXISTS responses_reply_ms Array(Nullable(Int64)) AFTER responses_at,
    ADD COLUMN IF NOT EXISTS responses_agent Array(String) AFTER responses_reply_ms,
    ADD COLUMN IF NOT EXISTS solved_agent Array(String) AFTER solved_at;
