//! `tabahead/stats`: the session's figures.

use tokio::sync::oneshot;

use super::{
    front::Front,
    rpc::AnswerFuture,
    tower::{Error, Id, Response},
};
use tabahead_session::Message;

pub(super) fn stats(front: &mut Front, id: Id) -> AnswerFuture {
    let (reply, stats) = oneshot::channel();
    front.send(Message::Stats { reply });
    Box::pin(async move {
        let stats = stats.await.map_err(|_| Error::internal_error());
        Response::from_parts(id, stats)
    })
}
