-- Servers whose level differs between two runs, and how their chance of running out moved.
SELECT coalesce(now.server_id, before.server_id) AS server_id,
       before.level AS level_before, now.level AS level_now,
       round(now.score - before.score, 1) AS score_change, now.reason
FROM (SELECT * FROM servers WHERE dataset = 'demo' AND run_id = '20261101T060000Z-1a2b3c') AS now
FULL JOIN (SELECT * FROM servers WHERE dataset = 'demo' AND run_id = '20261025T060000Z-4d5e6f') AS before
  ON before.server_id = now.server_id
WHERE now.level IS DISTINCT FROM before.level
ORDER BY score_change DESC NULLS LAST, 1;
