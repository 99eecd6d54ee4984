-- +goose Up
-- Live delivery begins behind the numbers in started_after and has come to those in positions, for each spool; spools that
-- are not named are followed from their first event. The subscription is the one that this holds for, as JSON; empty in
-- rows of versions that followed stored_at.
ALTER TABLE endpoint_states
    ADD COLUMN IF NOT EXISTS subscription String,
    ADD COLUMN IF NOT EXISTS started_after Map(String, UInt64),
    ADD COLUMN IF NOT EXISTS positions Map(String, UInt64);
