// Package alertmanager reads what an Alertmanager sends to a webhook receiver, and
// makes an event of each alert in it. It sends nothing and asks nothing.
//
// The format is version 4 of the webhook payload, as Alertmanager's documentation
// has it under webhook_config. Start reading at Read.
package alertmanager
