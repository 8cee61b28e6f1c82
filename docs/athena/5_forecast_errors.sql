-- How good an earlier run's forecast was: its quantiles against what a later run measured on the same dates.
SELECT f.metric, count(*) AS periods,
       round(avg(abs(a.actual - f.q50)), 2) AS mean_absolute_error,
       round(avg(CASE WHEN a.actual BETWEEN f.q10 AND f.q90 THEN 1.0 ELSE 0.0 END), 3) AS coverage_80,
       round(avg(CASE WHEN a.actual BETWEEN f.q05 AND f.q95 THEN 1.0 ELSE 0.0 END), 3) AS coverage_90
FROM forecasts f
JOIN forecasts a ON a.server_id = f.server_id AND a.metric = f.metric AND a.ds = f.ds
  AND coalesce(a.entity, '') = coalesce(f.entity, '')
WHERE f.dataset = 'demo' AND f.run_id = '20261025T060000Z-4d5e6f' AND f.is_future
  AND a.dataset = 'demo' AND a.run_id = '20261101T060000Z-1a2b3c' AND NOT a.is_future
GROUP BY f.metric
ORDER BY f.metric;
