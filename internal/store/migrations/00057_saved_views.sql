-- +goose Up
-- Named filters of the console's list of events. The highest version of a name counts.
CREATE TABLE IF NOT EXISTS saved_views
(
    name     String,
    query    String, -- filters, in the form of the API's query
    deleted  Bool,
    saved_by String,
    saved_at DateTime64(6, 'UTC') DEFAULT now64(6),
    version  UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
