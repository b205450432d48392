// Package alertmanager reads the payload that an Alertmanager sends to a webhook receiver, and
// converts each alert in it into an event. It sends nothing.
//
// The format is version 4 of the webhook payload, documented under webhook_config of
// Alertmanager. Start reading at Read.
package alertmanager
