-- +goose Up
-- What only attempts of kind 'forward' have: requests of a bot that were forwarded, and whose answer went back to it.
ALTER TABLE attempts
    ADD COLUMN IF NOT EXISTS kind LowCardinality(String) DEFAULT 'delivery', -- or 'forward'
    -- Why the bot got the configured fallback: deadline, refused, failing, in_flight, error. Empty: it got the endpoint's answer.
    ADD COLUMN IF NOT EXISTS fallback LowCardinality(String),
    -- The expected keys that the endpoint's answer does not have.
    ADD COLUMN IF NOT EXISTS missing_keys Array(String) CODEC(ZSTD(1)),
    -- The bytes of the answer's body, of which response_body has the start.
    ADD COLUMN IF NOT EXISTS response_bytes UInt64 CODEC(ZSTD(1)),
    -- The time from the end of the request to the end of the answer, without the time spent waiting for the endpoint.
    ADD COLUMN IF NOT EXISTS overhead_ms Float64 CODEC(ZSTD(1));
