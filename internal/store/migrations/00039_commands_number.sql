-- +goose Up
-- The order of the commands to a target. Each gets a number above all before it, so that a clock that was ahead for a while
-- cannot make an old command the last one.
ALTER TABLE commands ADD COLUMN IF NOT EXISTS number UInt64 DEFAULT toUnixTimestamp64Micro(at);
