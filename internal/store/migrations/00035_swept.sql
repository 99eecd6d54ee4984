-- +goose Up
-- Up to which event an endpoint's deliveries were removed, for they had ended long ago: of older events nobody knows any
-- more whether the endpoint has taken them.
CREATE TABLE IF NOT EXISTS swept
(
    endpoint          LowCardinality(String),
    event_received_at DateTime64(6, 'UTC'),
    swept_at          DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(event_received_at)
ORDER BY endpoint
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
