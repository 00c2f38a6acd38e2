"""Parts of transactions that several verbs share."""
