-- What each business unit could save a month, by action. A consolidation's saving is shared by the servers it frees.
SELECT s.business_unit, a.action, count(*) AS servers,
       round(sum(a.monthly_saving / cardinality(a.server_ids)), 2) AS monthly_saving
FROM recommendations a
CROSS JOIN UNNEST(a.server_ids) AS freed (server_id)
JOIN servers s ON s.server_id = freed.server_id
WHERE a.dataset = 'demo' AND a.run_id = '20261101T060000Z-1a2b3c'
  AND s.dataset = 'demo' AND s.run_id = '20261101T060000Z-1a2b3c'
  AND a.monthly_saving > 0
GROUP BY s.business_unit, a.action
ORDER BY monthly_saving DESC, s.business_unit, a.action;
