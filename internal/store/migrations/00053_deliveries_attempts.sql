-- +goose Up
-- The first and the last attempt of each delivery, so that lists and failure groups need not read the table attempts. Rows of
-- earlier versions have what follows from their other columns.
ALTER TABLE deliveries
    ADD COLUMN IF NOT EXISTS first_attempt_at DateTime64(6, 'UTC') DEFAULT if(attempts = 1, updated_at, toDateTime64(0, 6, 'UTC')) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS last_attempt_at DateTime64(6, 'UTC') DEFAULT if(attempts > 0, updated_at, toDateTime64(0, 6, 'UTC')) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS outcome LowCardinality(String) DEFAULT multiIf(attempts = 0, '', state IN ('delivered', 'unknown'), state, status_code != 0, 'bad_status', ''),
    ADD COLUMN IF NOT EXISTS answer String CODEC(ZSTD(1));
