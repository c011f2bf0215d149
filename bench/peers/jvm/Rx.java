import io.reactivex.rxjava3.core.Flowable;
import java.io.File;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** RxJava 3. Flowable, as its wiki says for files ("Reading (parsing) files from disk is inherently blocking and pull-based which works well with
 *  backpressure", When to use Flowable). Windows outside and groups inside: one timer, and no group outlives its window. */
class Rx implements Peer.Job {
    public void main(File feed) throws Exception {
        try (var readings = Reading.READER.<Reading>readValues(feed)) {
            Flowable.fromIterable(() -> readings)
                .filter(r -> r.metric.equals("temperature"))
                .window(5, TimeUnit.SECONDS)
                .flatMap(window -> window.groupBy(r -> r.device).flatMapSingle(g -> g.collect(Average::new, Average::add), false, Integer.MAX_VALUE))
                .blockingForEach(Peer::take);
        }
    }

    public void maps(List<Pair> events) {
        Flowable.fromIterable(events).map(e -> e.v + 1).map(x -> x + 1).map(x -> x + 1).map(x -> x + 1).map(x -> x + 1).map(x -> x + 1)
            .map(x -> x + 1).map(x -> x + 1).subscribe(Peer::take);
    }

    public void groups(List<Pair> events) {
        Flowable.fromIterable(events).groupBy(e -> e.k)
            .flatMapSingle(g -> g.collect(Average::new, (a, e) -> { a.sum += e.v; a.n++; }), false, Integer.MAX_VALUE).subscribe(Peer::take);
    }
}
