# Who talked to whom, in records of a minute. They are the evidence from which
# policy is simulated and learned.
resource "aws_cloudwatch_log_group" "flows" {
  for_each          = local.vpcs
  name              = "/vpc/${each.key}/flows"
  retention_in_days = 90
}

resource "aws_iam_role" "flows" {
  name = "vpc-flow-logs"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "flows" {
  name = "write"
  role = aws_iam_role.flows.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = [for g in aws_cloudwatch_log_group.flows : "${g.arn}:*"]
    }]
  })
}

resource "aws_flow_log" "tier" {
  for_each                 = local.vpcs
  vpc_id                   = aws_vpc.tier[each.key].id
  traffic_type             = "ALL"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.flows[each.key].arn
  iam_role_arn             = aws_iam_role.flows.arn
  max_aggregation_interval = 60
}
