package simulate

// BackfillBatches is Backfill with another batch size.
var BackfillBatches = (*Account).backfill
