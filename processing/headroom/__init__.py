"""What runs inside Headroom's jobs: preprocess, train and assess, and the modules they share."""
