"""What vLLM's workers do for us; imported by them, as `worker_extension_cls`, and by nobody else.

vLLM 0.31 reads new weights in place layer by layer. An output layer that is tied to the embeddings has
none of its own in the folder, and is passed over: on a CPU it keeps a packed copy of the old ones, and
nothing fails. So it is tied and made ready again here.
"""

from typing import Any


class Worker:
    """Mixed into vLLM's worker; a method here is what `collective_rpc` calls by its name."""

    model_runner: Any

    def take_weights(self, folder: str) -> None:
        """Read the weights of a model folder into the model that there is."""
        from vllm.model_executor.layers.vocab_parallel_embedding import (
            ParallelLMHead,
            VocabParallelEmbedding,
        )

        self.model_runner.reload_weights(weights_path=folder)
        model = self.model_runner.get_model()
        if not model.config.get_text_config().tie_word_embeddings:
            return
        layers = [m for m in model.modules() if isinstance(m, VocabParallelEmbedding)]
        heads = [m for m in layers if isinstance(m, ParallelLMHead)]
        embeddings = [m for m in layers if m not in heads]
        if heads and len(embeddings) != 1:  # not on this rank, or of a kind that we do not know
            raise RuntimeError("its output layer is tied to embeddings that are not found")
        for head in heads:
            head.weight = embeddings[0].weight
            head.quant_method.process_weights_after_loading(head)
