"""What must stand before any test imports a function: Powertools reads it then."""

import os

os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "Headroom",
    "POWERTOOLS_SERVICE_NAME": "headroom",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
