-- +goose Up
-- What was sent, for the configuration that made it changes. Attempts of before have none.
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS request_headers Array(Tuple(name String, value String)) CODEC(ZSTD(1)) AFTER error;
