-- How many servers reach their critical threshold in each coming week: what to order by when.
SELECT date_trunc('week', first_critical) AS week, metric, count(*) AS servers
FROM (
  SELECT server_id, metric, min(ds) AS first_critical
  FROM forecasts
  WHERE dataset = 'demo' AND run_id = '20261101T060000Z-1a2b3c'
    AND is_future AND risk_level = 'critical'
  GROUP BY server_id, metric
) AS breaches
GROUP BY 1, 2
ORDER BY 1, 2;
