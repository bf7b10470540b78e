"""Suanli 算力: what it takes to train, fine-tune and serve language models, in chips, dates and money."""
