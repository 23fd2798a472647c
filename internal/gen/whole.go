package gen

// whole says that the language has guardrails, exceptions and conditions.
const whole = false
