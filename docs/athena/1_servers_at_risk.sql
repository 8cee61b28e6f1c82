-- Which servers need a decision, when, and what the advice is.
SELECT s.server_id, s.level, s.worst_metric, s.worst_entity, r.critical_date, r.breach_earliest, r.breach_latest, r.p_critical,
       s.business_unit, s.criticality, s.reason
FROM servers s
JOIN risks r ON r.server_id = s.server_id AND r.metric = s.worst_metric
  AND coalesce(r.entity, '') = coalesce(s.worst_entity, '')
WHERE s.dataset = 'demo' AND s.run_id = '20261101T060000Z-1a2b3c'
  AND r.dataset = 'demo' AND r.run_id = '20261101T060000Z-1a2b3c'
  AND s.level IN ('critical', 'high')
ORDER BY s.level, s.score DESC, s.server_id;
