"""Ready-made conversations as documents for training."""

import numpy as np
from tokenizers import Tokenizer

from data import ASSISTANT, BOS, EOS, USER, Conversation, Document


def conversation_documents(tokenizer: Tokenizer, conversations: list[Conversation]) -> list[Document]:
    """
    Conversations in the form of CHAT_TEMPLATE. Answers and the ends of answers are learned, and the user's
    messages are not.
    """
    bos, eos = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOS)
    user, assistant = tokenizer.token_to_id(USER), tokenizer.token_to_id(ASSISTANT)
    encoded = iter(tokenizer.encode_batch_fast([message["content"].strip() for chat in conversations for message in chat]))
    documents = []
    for conversation in conversations:
        ids, learn = [bos], [False]
        for message in conversation:
            content = next(encoded).ids
            answer = message["role"] == "assistant"
            part = [assistant, *content, eos] if answer else [user, *content]
            ids += part
            learn += [False, *[answer] * (len(part) - 1)]
        documents.append(Document(np.array(ids, dtype=np.int32), np.array(learn), divisible=False))
    return documents
