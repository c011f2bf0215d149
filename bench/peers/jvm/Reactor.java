import java.io.File;
import java.time.Duration;
import java.util.List;
import reactor.core.publisher.Flux;

/** Project Reactor. flatMap takes as many groups as there are: "Notably when the criteria produces a large amount of groups, it can lead to hanging if
 *  the groups are not suitably consumed downstream (eg. due to a flatMap with a maxConcurrency parameter that is set too low)" (Flux.groupBy). */
class Reactor implements Peer.Job {
    public void main(File feed) throws Exception {
        try (var readings = Reading.READER.<Reading>readValues(feed)) {
            Flux.fromIterable(() -> readings)
                .filter(r -> r.metric.equals("temperature"))
                .window(Duration.ofSeconds(5))
                .flatMap(window -> window.groupBy(r -> r.device).flatMap(g -> g.collect(Average::new, Average::add), Integer.MAX_VALUE))
                .doOnNext(Peer::take).blockLast();
        }
    }

    public void maps(List<Pair> events) {
        Flux.fromIterable(events).map(e -> e.v + 1).map(x -> x + 1).map(x -> x + 1).map(x -> x + 1).map(x -> x + 1).map(x -> x + 1)
            .map(x -> x + 1).map(x -> x + 1).subscribe(Peer::take);
    }

    public void groups(List<Pair> events) {
        Flux.fromIterable(events).groupBy(e -> e.k)
            .flatMap(g -> g.collect(Average::new, (a, e) -> { a.sum += e.v; a.n++; }), Integer.MAX_VALUE).subscribe(Peer::take);
    }
}
