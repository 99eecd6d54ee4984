-- +goose Up
-- How far each spool's events are stored whole. A row is added after each batch; the rows of 8,192 numbers merge into one.
-- The times of receipt tell the follower which part of the table events to read.
CREATE TABLE IF NOT EXISTS stored_ranges
(
    spool          String,
    bucket         UInt64, -- number / 8192
    last           SimpleAggregateFunction(max, UInt64), -- the highest number that is stored with all before it
    received_from  SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    received_until SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (spool, bucket)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
