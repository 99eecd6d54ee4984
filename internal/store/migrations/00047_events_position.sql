-- +goose Up
-- How many microseconds later than its time of receipt an event's position is. Positions grow with the numbers of a spool, so
-- that they order its events as they arrived: nearly always the offset is 0, unless requests end in another order than they
-- began, or the clock was set back. Events that were stored before have 0.
ALTER TABLE events ADD COLUMN IF NOT EXISTS position_offset UInt64 CODEC(ZSTD(1));
