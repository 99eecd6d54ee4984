-- The steps of a source in the order in which subscribers reach them; and the first with the last alone. Characters that would
-- be read as a comma between steps, or as a space beside it, are encoded. The order by the table's key lets ClickHouse read the newest
-- requests alone; by the time alone it would sort those of a projection.
WITH (
    SELECT groupArray(replaceRegexpOne(replaceRegexpOne(replaceAll(replaceAll(step, '%', '%25'), ',', '%2C'), '^ ', '%20'), ' $', '%20'))
    FROM
    (
        SELECT step
        FROM
        (
            SELECT step, min(received_at) AS at, min(at) OVER (PARTITION BY subscriber_key) AS begun
            FROM
            (
                SELECT subscriber_key, step, received_at
                FROM events
                WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}')
                    AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key != 0 AND step != ''
                ORDER BY received_at DESC, id DESC
                LIMIT 50000
            )
            GROUP BY subscriber_key, step
        )
        GROUP BY step
        ORDER BY quantile(0.5)(at - begun), avg(at - begun)
        LIMIT 8
    )
) AS steps
SELECT arrayJoin(arrayDistinct([arrayStringConcat(steps, ','), concat(steps[1], ',', steps[-1])])) AS goals
WHERE notEmpty(steps)
