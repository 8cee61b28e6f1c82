"""What MiniStack lacks of AWS, as strict as AWS: SageMaker, redrive, alarms, e-mail."""
